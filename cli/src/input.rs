//! Files of usage, cut into records: JSON lines, one JSON document, several documents one after the other, the rows of a
//! table, or a captured stream. What gzip or zstd has packed is unpacked as it is read, whatever its name; UTF-16 is read, too.
//! A picture, an archive or a database is no usage, and is told apart by its first bytes.
//!
//! In a transcript of Codex, session and model stand on lines of their own: they go before every line that counts tokens. A
//! message of Anthropic that was saved a frame a line is one record, and so are the frames of other streams, and the events of a
//! session after the one that names its model.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use anyhow::{Context, bail};
use flate2::read::MultiGzDecoder;
use schemas::Timestamp;

mod folder;
mod lines;

pub use self::folder::{Found, files, unreadable};
use self::lines::{Codex, Lines, Run, starts_message, without_comma};

/// Largest file that is not made of lines: it is read whole.
const WHOLE_BYTES_MAX: u64 = 256 << 20;

/// Longest line, row or document. A longer one is cut off there, and so rejected with its position.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Longest record of a file that is used: whatever was not cut off.
pub const RECORD_BYTES_MAX: usize = LINE_BYTES_MAX as usize - 1;

/// An array longer than this is cut into its elements; a shorter one is one record, as a producer might send it.
const ARRAY_BYTES_MAX: usize = 1 << 20;

/// Bytes looked at to see what a file is made of.
const PEEK_BYTES: usize = 256 * 1024;

/// One record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Place in the file, from 1: the line, or the number of the document.
    pub number: u64,
    /// When it arrived, where the file says so.
    pub timestamp: Option<Timestamp>,
    /// Headers, where the file says so.
    pub headers: Vec<(String, String)>,
    /// Value.
    pub payload: Vec<u8>,
    /// It is the last line of a file of lines, has no end and is not whole JSON: somebody may be writing it still. So are the
    /// frames of a message before such a line.
    pub is_half: bool,
}

/// The records of a file, in order.
pub struct FileRecords {
    number: u64,
    from: From,
}

enum From {
    Lines(Lines, Codex),
    /// Rows of a table after its head, which goes before each of them.
    Rows(Box<dyn BufRead>, Vec<u8>),
    /// Lines of a dump of a database, and the rows that the last of them ended.
    Dump(Box<dyn BufRead>, ingest::Dump, std::vec::IntoIter<String>),
    Documents(std::vec::IntoIter<Vec<u8>>),
}

impl std::fmt::Debug for FileRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "records of a file, {} read", self.number)
    }
}

/// Opens a file, or standard input for `-`.
///
/// # Errors
/// When it cannot be read, or is too long for a file that is not made of lines.
pub fn open(path: &Path) -> anyhow::Result<FileRecords> {
    if path == Path::new("-") {
        return read(Box::new(std::io::stdin()));
    }
    anyhow::ensure!(!path.is_dir(), "{} is a folder: name one of its files", path.display());
    let file = File::open(path).with_context(|| format!("read {}", path.display()))?;
    read(Box::new(file)).with_context(|| format!("read {}", path.display()))
}

/// A file that cannot hold usage as it is, by its first bytes: what it is, and what would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign(&'static str);

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it is {}", self.0)
    }
}

impl std::error::Error for Foreign {}

impl Foreign {
    fn told_by(start: &[u8]) -> Option<Self> {
        const KINDS: [(usize, &[u8], &str); 21] = [
            (0, b"%PDF-", "a PDF document"),
            (0, b"PK\x03\x04", "a zip archive or an office document: unpack it, or save it as CSV"),
            (0, b"PK\x05\x06", "an empty zip archive"),
            (257, b"ustar", "a tar archive: unpack it"),
            (0, b"BZh", "packed by bzip2: unpack it (gzip and zstd are read as they are)"),
            (0, b"\xfd7zXZ\0", "packed by xz: unpack it (gzip and zstd are read as they are)"),
            (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it"),
            (0, b"PAR1", "a Parquet file: write its rows as JSON lines or CSV"),
            (0, b"ARROW1", "an Arrow file: write its rows as JSON lines or CSV"),
            (0, b"Obj\x01", "an Avro file: write its records as JSON lines"),
            (0, b"SQLite format 3\0", "an SQLite database: write its rows as JSON lines or CSV"),
            (0, b"\x89PNG\r\n\x1a\n", "a picture"),
            (0, b"\xff\xd8\xff", "a picture"),
            (0, b"GIF8", "a picture"),
            (0, b"RIFF", "a sound, a picture or a video"),
            (0, b"ID3", "a sound"),
            (0, b"OggS", "a sound"),
            (4, b"ftyp", "a video or a sound"),
            (0, b"\x1aE\xdf\xa3", "a video"),
            (0, b"\x7fELF", "a program"),
            (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document: save it as CSV"),
        ];
        let is = |(at, mark, _): &&(usize, &[u8], &str)| start.get(*at..).is_some_and(|rest| rest.starts_with(mark));
        KINDS.iter().find(is).map(|(_, _, what)| Foreign(what))
    }
}

/// What gzip or zstd has packed, as it was before; other bytes as they are.
fn unpacked(mut bytes: Box<dyn Read>) -> anyhow::Result<Box<dyn Read>> {
    let mut start = Vec::new();
    bytes.by_ref().take(4).read_to_end(&mut start)?;
    let packed_by = start.clone();
    let whole = Cursor::new(start).chain(bytes);
    Ok(match packed_by.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}

fn read(bytes: Box<dyn Read>) -> anyhow::Result<FileRecords> {
    let mut bytes: Box<dyn Read> = Box::new(BufReader::with_capacity(PEEK_BYTES, unpacked(bytes)?));
    let mut start = Vec::new();
    bytes.by_ref().take(PEEK_BYTES as u64).read_to_end(&mut start)?;
    if let Some(foreign) = Foreign::told_by(&start) {
        return Err(foreign.into());
    }
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = start.as_slice() {
        let text = utf8(Cursor::new(start).chain(bytes))?;
        bytes = Box::new(Cursor::new(text));
        start = Vec::new();
        bytes.by_ref().take(PEEK_BYTES as u64).read_to_end(&mut start)?;
    }
    let lines = is_lines(&start, start.len() < PEEK_BYTES);
    let is_table = !lines && is_table(&start);
    let dump = !lines && ingest::Dump::is_begun(&String::from_utf8_lossy(&start));
    let mut whole: Box<dyn BufRead> = Box::new(BufReader::new(Cursor::new(start).chain(bytes)));
    if dump {
        let rows = Vec::new().into_iter();
        return Ok(FileRecords { number: 0, from: From::Dump(whole, ingest::Dump::default(), rows) });
    }
    if lines {
        return Ok(FileRecords { number: 0, from: From::Lines(Lines::new(whole), Codex::default()) });
    }
    if is_table {
        let (mut head, mut number) = (Vec::<u8>::new(), 0);
        // Lines that are none of its rows may come before it.
        while is_before_head(&head) {
            head.clear();
            if whole.read_until(b'\n', &mut head)? == 0 {
                break;
            }
            number += 1;
        }
        return Ok(FileRecords { number, from: From::Rows(whole, head) });
    }
    Ok(FileRecords { number: 0, from: From::Documents(documents(bounded(whole)?).into_iter()) })
}

/// All of a file that has to be read whole.
fn bounded(bytes: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    bytes.take(WHOLE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > WHOLE_BYTES_MAX {
        bail!(
            "longer than {} MiB and not made of lines in UTF-8: write one JSON document a line",
            WHOLE_BYTES_MAX >> 20
        );
    }
    Ok(text)
}

/// UTF-16 with its mark, as Windows' shells write it, in UTF-8 without one.
fn utf8(bytes: impl Read) -> anyhow::Result<Vec<u8>> {
    let bytes = bounded(bytes)?;
    let unit: fn([u8; 2]) -> u16 = if bytes.starts_with(b"\xff\xfe") { u16::from_le_bytes } else { u16::from_be_bytes };
    let units = bytes.chunks_exact(2).skip(1).map(|pair| unit([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Ok(text.into_bytes())
}

/// Whether a file that begins like this holds a document a line: most of its lines are whole documents.
fn is_lines(start: &[u8], complete: bool) -> bool {
    let mut lines: Vec<&[u8]> = start.split(|byte| *byte == b'\n').collect();
    if !complete && lines.len() > 1 {
        lines.pop();
    }
    let lines: Vec<_> = lines.into_iter().map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).take(40).collect();
    if lines.iter().any(|line| line.starts_with(b"data:") || line.starts_with(b"event:")) {
        return false;
    }
    // Within a list its commas are none too many.
    let listed = lines.first().is_some_and(|line| line.starts_with(b"["));
    let whole = |line: &&&[u8]| line.starts_with(b"{") && is_whole(if listed { line } else { without_comma(line) });
    let documents = lines.iter().filter(whole).count();
    match lines.len() {
        0 | 1 => complete && documents == lines.len(),
        count => documents * 2 >= count,
    }
}

/// Whether this is one JSON value.
fn is_whole(text: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok()
}

/// A mark that a text is in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a line may stand before the head of a table: it is empty, or tells spreadsheets what separates its cells (`sep=;`).
fn is_before_head(line: &[u8]) -> bool {
    let line = line.strip_prefix(MARK).unwrap_or(line).trim_ascii();
    line.is_empty() || line.len() <= 5 && line.starts_with(b"sep=")
}

/// Whether a file begins with the head of a table, as ingest knows one, and a row of as many cells.
fn is_table(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start.strip_prefix(MARK).unwrap_or(start));
    let mut lines = text.lines().filter(|line| !is_before_head(line.as_bytes()));
    let (Some(head), Some(row)) = (lines.next(), lines.next()) else { return false };
    let cells = |line: &str| [',', ';', '\t'].map(|mark| line.matches(mark).count()).into_iter().max();
    cells(row) >= cells(head) && ingest::is_table(&format!("{head}\n{row}"))
}

fn documents(text: Vec<u8>) -> Vec<Vec<u8>> {
    let trimmed = text.trim_ascii();
    if trimmed.len() > ARRAY_BYTES_MAX
        && let Ok(elements) = serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(trimmed)
    {
        return elements.into_iter().map(|element| element.get().as_bytes().to_vec()).collect();
    }
    let mut stream = serde_json::Deserializer::from_slice(trimmed).into_iter::<&serde_json::value::RawValue>();
    let mut found = Vec::new();
    while let Some(Ok(document)) = stream.next() {
        found.push(document.get().as_bytes().to_vec());
    }
    // What is no JSON (a captured stream, a broken end) is a record of its own: ingest says what it is.
    let rest = trimmed.get(stream.byte_offset()..).unwrap_or_default().trim_ascii();
    if found.is_empty() {
        return vec![trimmed.to_vec()];
    }
    if !rest.is_empty() {
        found.push(rest.to_vec());
    }
    found
}

/// A line of `spendstream generate --format records`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    #[serde(rename = "key")]
    _key: Option<String>,
    headers: Vec<(String, String)>,
    timestamp: Timestamp,
    #[serde(rename = "slot")]
    _slot: u32,
    payload: String,
}

impl FileRecords {
    /// Whether the record given last is the half line a file ends with, or the frames it goes on.
    fn is_half(&self) -> bool {
        matches!(&self.from, From::Lines(lines, _) if lines.ends_half)
    }

    fn next_payload(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        loop {
            match &mut self.from {
                From::Documents(documents) => {
                    self.number += 1;
                    return Ok(documents.next());
                }
                From::Rows(lines, head) => {
                    let (mut row, mut quotes) = (head.clone(), 0_usize);
                    // A cell in quotes may hold the ends of lines. One that nobody closes has so many that each line is counted once.
                    while row.len() == head.len() || quotes % 2 == 1 {
                        let before = row.len();
                        let read = lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut row)?;
                        if read == 0 || row.len() as u64 > LINE_BYTES_MAX {
                            break;
                        }
                        quotes += row[before..].iter().filter(|byte| **byte == b'"').count();
                        self.number += 1;
                    }
                    if row.len() == head.len() {
                        return Ok(None);
                    }
                    if !row[head.len()..].trim_ascii().is_empty() {
                        return Ok(Some(row.trim_ascii_end().to_vec()));
                    }
                }
                From::Dump(lines, dump, rows) => {
                    if let Some(row) = rows.next() {
                        return Ok(Some(row.into_bytes()));
                    }
                    let mut line = Vec::new();
                    if lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                        return Ok(None);
                    }
                    self.number += 1;
                    *rows = dump.line(&String::from_utf8_lossy(&line)).into_iter();
                }
                From::Lines(lines, codex) => {
                    let Some((number, line)) = lines.next()? else { return Ok(None) };
                    self.number = number;
                    if let Some(journal) = std::str::from_utf8(&line).ok().and_then(ingest::Journal::begun) {
                        return lines.chat(journal).map(Some);
                    }
                    let record = if starts_message(&line) {
                        lines.message(line)?
                    } else if let Some(run) = Run::begun_by(&line) {
                        lines.frames(line, run)?
                    } else {
                        codex.with_context(line)
                    };
                    return Ok(Some(record));
                }
            }
        }
    }
}

impl Iterator for FileRecords {
    type Item = anyhow::Result<FileRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut payload = match self.next_payload().transpose()? {
            Ok(payload) => payload,
            Err(error) => return Some(Err(error)),
        };
        // A document, or a row with a quote that nobody closed, may be as long as its file.
        payload.truncate(LINE_BYTES_MAX as usize);
        let (number, is_half) = (self.number, self.is_half());
        let looks_wrapped = payload.starts_with(b"{\"key\":") && payload.len() < LINE_BYTES_MAX as usize;
        let record = match looks_wrapped.then(|| serde_json::from_slice::<Wrapped>(&payload)) {
            Some(Ok(Wrapped { headers, timestamp, payload, .. })) => {
                FileRecord { number, timestamp: Some(timestamp), headers, payload: payload.into_bytes(), is_half }
            }
            _ => FileRecord { number, timestamp: None, headers: Vec::new(), payload, is_half },
        };
        Some(Ok(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(u64, String)> {
        let records = read(Box::new(Cursor::new(text.as_bytes().to_vec()))).unwrap();
        records.map(|record| record.unwrap()).map(|r| (r.number, String::from_utf8(r.payload).unwrap())).collect()
    }

    fn numbered(number: u64, text: &str) -> (u64, String) {
        (number, text.to_owned())
    }

    #[test]
    fn lines_keep_their_numbers_and_a_bad_one_is_a_record_like_the_others() {
        let records = cut("{\"a\":1}\n\nupstream error\n{\"a\":2}\n{\"a\":");
        let expected =
            [numbered(1, "{\"a\":1}"), numbered(3, "upstream error"), numbered(4, "{\"a\":2}"), numbered(5, "{\"a\":")];
        assert_eq!(records, expected);
    }

    #[test]
    fn a_document_over_several_lines_is_one_record_and_so_is_a_captured_stream() {
        assert_eq!(cut("{\n \"a\": 1\n}\n"), [numbered(1, "{\n \"a\": 1\n}")]);
        assert_eq!(cut("[\n{\"a\":1},\n{\"a\":2}\n]").len(), 1);
        assert_eq!(cut("{\n\"a\": 1\n}\n{\n\"a\": 2\n}\nrest").len(), 3);
        assert_eq!(cut("data: {\"a\":1}\n\ndata: [DONE]\n").len(), 1);
        assert_eq!(cut(""), []);
    }

    #[test]
    fn every_row_of_a_table_is_a_record_with_its_head() {
        let rows = cut("vendor,seats\nacme,\"1\n2\"\n\nother,3\n");
        assert_eq!(rows, [numbered(3, "vendor,seats\nacme,\"1\n2\""), numbered(5, "vendor,seats\nother,3")]);
        assert_eq!(cut("\r\n\nvendor,seats\nacme,1\n"), [numbered(4, "vendor,seats\nacme,1")]);
        assert_eq!(cut("a sentence, and more\nof it").len(), 1);
        assert_eq!(cut("not json, at all").len(), 1);
    }

    #[test]
    fn tables_of_spreadsheets_are_cut_into_rows_and_sentences_are_not() {
        let cursor =
            "Date;Model;Input (w/ Cache Write);Cost\r\n2026-08-01;auto;6;\"$ 0,20\"\r\n2026-08-02;auto;7;1\r\n";
        let head = "Date;Model;Input (w/ Cache Write);Cost";
        let rows = [(2, "2026-08-01;auto;6;\"$ 0,20\""), (3, "2026-08-02;auto;7;1")];
        assert_eq!(cut(cursor), rows.map(|(number, row)| numbered(number, &format!("{head}\r\n{row}"))));
        assert_eq!(cut("\u{feff}a\tb\n1\t2\n3\t4\n").len(), 2);
        assert_eq!(cut("Dear all, and others\nit rains\nand snows\n").len(), 1);
    }

    fn opened(bytes: &[u8]) -> anyhow::Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("file");
        std::fs::write(&path, bytes)?;
        open(&path)?.map(|record| Ok(String::from_utf8(record?.payload)?)).collect()
    }

    #[test]
    fn a_table_may_begin_with_a_mark_empty_lines_and_the_separator_of_its_cells() {
        for before in ["\u{feff}", "\u{feff}\n", "\r\n\r\n", "sep=;\r\n", "\u{feff}sep=;\r\n\r\n", "sep=\t\n"] {
            let rows = cut(&format!("{before}vendor;seats\nacme;1\nother;3\n"));
            let number = before.matches('\n').count() as u64 + 2;
            let head = if before == "\u{feff}" { "\u{feff}vendor;seats" } else { "vendor;seats" };
            let row = |number, row: &str| numbered(number, &format!("{head}\n{row}"));
            assert_eq!(rows, [row(number, "acme;1"), row(number + 1, "other;3")], "{before:?}");
        }
        // A column of that name is a column.
        assert_eq!(cut("sep=x,a\n1,2\n3,4\n").len(), 1);
    }

    #[test]
    fn what_is_packed_or_in_utf_16_is_read_whatever_its_name() {
        let lines = "{\"a\":1}\n{\"a\":\"ü\"}\n";
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut zipped, lines.as_bytes()).unwrap();
        let marked = format!("\u{feff}{}", lines.replace('\n', "\r\n"));
        let units = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> { marked.encode_utf16().flat_map(unit).collect() };
        for bytes in [
            lines.as_bytes().to_vec(),
            zipped.finish().unwrap(),
            zstd::encode_all(lines.as_bytes(), 1).unwrap(),
            units(u16::to_le_bytes),
            units(u16::to_be_bytes),
        ] {
            assert_eq!(opened(&bytes).unwrap(), ["{\"a\":1}", "{\"a\":\"ü\"}"]);
        }
    }

    #[test]
    fn what_cannot_be_usage_is_named_for_what_it_is() {
        for (bytes, says) in [
            (b"%PDF-1.7\n...".as_slice(), "it is a PDF document"),
            (b"\x89PNG\r\n\x1a\n...", "it is a picture"),
            (b"PAR1...", "it is a Parquet file: write its rows as JSON lines or CSV"),
        ] {
            let error = opened(bytes).unwrap_err();
            assert_eq!(error.downcast_ref::<Foreign>().map(ToString::to_string).as_deref(), Some(says));
        }
        assert_eq!(opened(b"PK is what it begins with").unwrap().len(), 1);
    }

    #[test]
    fn a_document_that_is_too_long_is_cut_off_and_ends_nobody() {
        let long = format!("{{\"a\":\n\"{}\"}}", "x".repeat(LINE_BYTES_MAX as usize));
        let row = format!("a,b\n1,\"{}", "x".repeat(LINE_BYTES_MAX as usize));
        for text in [long, row] {
            let lengths: Vec<usize> = cut(&text).iter().map(|(_, record)| record.len()).collect();
            assert_eq!(lengths.first(), Some(&(RECORD_BYTES_MAX + 1)), "{lengths:?}");
        }
    }

    #[test]
    fn links_that_lead_back_are_followed_once() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join("within");
        std::fs::create_dir(&within).unwrap();
        std::fs::write(within.join("calls"), "{}").unwrap();
        for (link, to) in [("again", "."), ("back", ".."), ("same", "calls")] {
            std::os::unix::fs::symlink(to, within.join(link)).unwrap();
        }
        let found = files(folder.path()).unwrap();
        assert_eq!((found.files.len(), found.unreadable.len()), (1, 0), "{found:?}");
    }

    #[test]
    fn a_message_that_was_saved_a_frame_a_line_is_one_record() {
        let frames = |id: u8| {
            let start =
                format!(r#"{{"message":{{"id":"msg_{id}","usage":{{"input_tokens":9}}}},"type":"message_start"}}"#);
            let rest = [
                r#"{"type":"content_block_delta","index":0}"#,
                r#"{"type":"message_delta","usage":{"output_tokens":5}}"#,
            ];
            [&start, rest[0], rest[1]].join("\n")
        };
        let stop = r#"{"type":"message_stop"}"#;
        let other = r#"{"type":"message","id":"msg_9"}"#;
        let records = cut(&format!("{}\n{stop}\n\n{}\n{other}\n{}\n{stop}", frames(1), frames(2), frames(3)));
        let expected = [
            numbered(1, &format!("{}\n{stop}", frames(1))),
            numbered(6, &frames(2)),
            numbered(9, other),
            numbered(10, &format!("{}\n{stop}", frames(3))),
        ];
        assert_eq!(records, expected);
    }

    #[test]
    fn only_a_last_line_without_an_end_that_is_no_whole_json_is_half() {
        let halves = |text: &str| -> Vec<bool> {
            let records = read(Box::new(Cursor::new(text.as_bytes().to_vec()))).unwrap();
            records.map(|record| record.unwrap().is_half).collect()
        };
        assert_eq!(halves("{\"a\":1}\n{\"a\":"), [false, true]);
        assert_eq!(halves("{\"a\":1}\n{\"a\":\n"), [false, false]);
        assert_eq!(halves("{\"a\":1}\n{\"a\":2}"), [false, false]);
        assert_eq!(halves("{\"a\":1}\n{\"a\":2}\n  "), [false, false]);
        let start = r#"{"type":"message_start","message":{"id":"msg_1"}}"#;
        let stop = r#"{"type":"message_stop"}"#;
        assert_eq!(halves(&format!("{start}\n{{\"type\":\"message_st")), [true, true]);
        assert_eq!(halves(&format!("{start}\n{stop}")), [false]);
        // Where a line ends otherwise than its text, nobody can tell.
        assert_eq!(halves("vendor,seats\nacme,1\nother,"), [false, false]);
    }

    #[test]
    fn frames_of_other_streams_that_were_saved_one_a_line_are_one_record() {
        let chunk = |id: &str, count: u32| {
            format!(r#"{{"id":"{id}","object":"chat.completion.chunk","usage":{{"completion_tokens":{count}}}}}"#)
        };
        let frame = |id: &str| format!(r#"{{"request_id":"{id}","output":{{}},"usage":{{"input_tokens":1}}}}"#);
        let event = |kind: &str| format!(r#"{{"type":"{kind}","event_id":"e"}}"#);
        let step = |kind: &str| format!(r#"{{"event_type":"{kind}"}}"#);
        let other = r#"{"model":"m","usage":{"prompt_tokens":1}}"#;
        for run in [
            vec![chunk("", 0), chunk("a", 1), chunk("a", 2)],
            vec![frame("a"), frame("a")],
            vec![event("session.created"), event("input_audio_buffer.append"), event("response.done")],
            vec![r#"{"setup":{"model":"m"}}"#.to_owned(), r#"{"setupComplete":{}}"#.to_owned()],
            vec![step("interaction.created"), step("step.delta"), step("interaction.completed")],
            vec![event("conversation.response.started"), event("message.output.delta")],
            vec![event("message-start"), event("content-delta"), event("message-end")],
        ] {
            let (lines, next) = (run.len() as u64, run[0].replace("\"a\"", "\"b\""));
            let records = cut(&format!("{}\n{other}\n{next}\n", run.join("\n")));
            let expected = [numbered(1, &run.join("\n")), numbered(lines + 1, other), numbered(lines + 2, &next)];
            assert_eq!(records, expected);
        }
        // Another call, even beside the first, and chunks that say nothing of whose they are.
        assert_eq!(cut(&format!("{}\n{}\n", chunk("a", 1), chunk("b", 2))).len(), 2);
        assert_eq!(cut(&chunk("a", 1).replace(r#""id":"a","#, "").repeat(2).replace("}{", "}\n{")).len(), 2);
    }

    #[test]
    fn a_comma_that_an_array_left_behind_a_line_is_no_part_of_it() {
        let lines = "{\"a\":1},\n{\"a\":2},\n{\"a\":3},\n";
        assert_eq!(cut(lines), [1, 2, 3].map(|number| numbered(number, &format!("{{\"a\":{number}}}"))));
    }

    #[test]
    fn frames_of_gemini_that_were_saved_one_a_line_are_one_record() {
        let frame = |id: &str, count: u8| {
            format!(
                r#"{{"responseId":"{id}","usageMetadata":{{"promptTokenCount":9,"candidatesTokenCount":{count}}}}}"#
            )
        };
        let (first, last, other) = (frame("a", 1), frame("a", 5), frame("b", 3));
        let records = cut(&format!("{first}\n{last}\n{other}\n"));
        assert_eq!(records, [numbered(1, &format!("{first}\n{last}")), numbered(3, &other)]);
    }

    #[test]
    fn rows_of_a_dump_that_can_be_told_are_records() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\nCOPY public.users (id, mail) FROM stdin;\n1\ta@b.c\n\\.\n\n\
                    COPY public.calls (model, prompt_tokens, note) FROM stdin;\ngpt-5.4\t9\t\\N\ngpt-5.4\t7\ta\\tb\n\\.\n";
        let expected = [
            numbered(10, r#"{"model":"gpt-5.4","prompt_tokens":"9"}"#),
            numbered(11, r#"{"model":"gpt-5.4","prompt_tokens":"7","note":"a\tb"}"#),
        ];
        assert_eq!(cut(dump), expected);
    }

    #[test]
    fn a_chat_of_vs_code_is_one_record_of_what_its_lines_make() {
        let lines = [
            r#"{"kind":0,"v":{"sessionId":"s1","requests":[]}}"#,
            r#"{"kind":2,"k":["requests"],"v":[{"requestId":"r1","modelId":"copilot/gpt-5.4","message":{"text":"long"}}]}"#,
            r#"{"kind":1,"k":["requests",0,"promptTokens"],"v":9}"#,
        ];
        let chat = r#"{"sessionId":"s1","requests":[{"requestId":"r1","modelId":"copilot/gpt-5.4","promptTokens":9,"result":{"metadata":{}}}]}"#;
        assert_eq!(cut(&lines.join("\n")), [numbered(1, chat)]);
    }

    #[test]
    fn a_long_array_is_cut_into_its_elements() {
        let element = format!("{{\"a\":\"{}\"}}", "x".repeat(1000));
        let array = format!("[{}]", vec![element; 2_000].join(",\n"));
        assert_eq!(cut(&array).len(), 2_000);
    }

    #[test]
    fn counts_of_a_codex_transcript_bring_session_and_model_along() {
        let count = r#"{"timestamp":"t3","type":"event_msg","payload":{"type":"token_count","info":{}}}"#;
        let records = cut(&format!(
            "{}\n{}\n{count}\n",
            r#"{"timestamp":"t1","type":"session_meta","payload":{"id":"s1","instructions":"long"}}"#,
            r#"{"timestamp":"t2","type":"turn_context","payload":{"model":"gpt-5.4"}}"#,
        ));
        let lines: Vec<&str> = records[2].1.lines().collect();
        assert_eq!((records.len(), lines.len(), lines[2]), (3, 3, count));
        assert!(lines[0].contains("\"s1\"") && !lines[0].contains("long") && lines[1].contains("gpt-5.4"), "{lines:?}");
    }

    #[test]
    fn counts_of_a_codex_transcript_say_whether_records_told_of_their_requests() {
        let count = r#"{"timestamp":"t3","type":"event_msg","payload":{"type":"token_count","info":{}}}"#;
        let record = r#"{"timestamp":"t3","type":"token_usage_record","payload":{"thread_id":"s1","response_id":"r1","usage":{}}}"#;
        let meta = r#"{"timestamp":"t1","type":"session_meta","payload":{"id":"s1"}}"#;
        let turn = r#"{"timestamp":"t2","type":"turn_context","payload":{"model":"gpt-5.4"}}"#;
        let records = cut(&[meta, turn, count, record, count].join("\n"));
        let told = |index: usize| records[index].1.contains("token_usage_records");
        assert!(!told(2) && told(3) && told(4), "{records:?}");
        assert!(records[3].1.contains("gpt-5.4") && records[3].1.ends_with(record), "{records:?}");
    }

    #[test]
    fn a_record_of_the_generator_brings_its_own_time() {
        let line = r#"{"key":null,"headers":[["content-type","application/json"]],"timestamp":"2026-11-01T00:00:00Z","slot":7,"payload":"{\"a\":1}"}"#;
        let record = read(Box::new(Cursor::new(line.as_bytes().to_vec()))).unwrap().next().unwrap().unwrap();
        assert_eq!(record.timestamp, Some("2026-11-01T00:00:00Z".parse().unwrap()));
        assert_eq!(record.payload, b"{\"a\":1}");
        assert_eq!(record.headers.len(), 1);
    }
}
