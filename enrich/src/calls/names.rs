//! Small numbers for texts that nearly every call repeats: raw topics and versions of reference data.

use hashbrown::HashMap;
use schemas::Text;
use stream::Halt;

/// Interned texts. Grows only; a handful of topics and one entry for each published version.
#[derive(Debug, Default)]
pub(crate) struct Names {
    texts: Vec<Text>,
    ids: HashMap<Text, u16>,
}

impl Names {
    /// The number of a text.
    ///
    /// # Errors
    /// When there are 65,536 of them: raw topics or reference versions are being made up.
    pub(crate) fn id(&mut self, text: &str) -> Result<u16, Halt> {
        if let Some(id) = self.ids.get(text) {
            return Ok(*id);
        }
        let id = u16::try_from(self.texts.len()).map_err(|_| {
            Halt::State("more than 65,536 raw topics and reference versions in one dedup state".to_owned())
        })?;
        self.texts.push(text.into());
        self.ids.insert(text.into(), id);
        Ok(id)
    }

    /// The text of a number. Empty for one that was never given out.
    pub(crate) fn text(&self, id: u16) -> &str {
        self.texts.get(usize::from(id)).map_or("", |text| text.as_str())
    }

    /// Takes back a number given out earlier.
    pub(crate) fn restore(&mut self, id: u16, text: Text) {
        let at = usize::from(id);
        if self.texts.len() <= at {
            self.texts.resize(at + 1, Text::default());
        }
        self.ids.insert(text.clone(), id);
        let before = std::mem::replace(&mut self.texts[at], text);
        if self.ids.get(&before) == Some(&id) && before != self.texts[at] {
            self.ids.remove(&before);
        }
    }
}
