//! Stopping: one flag that every loop looks at.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};

/// A flag that says it is time to stop. Clones share it; once set it stays set.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    set: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
    notify: tokio::sync::Notify,
    /// The first thread that panicked.
    panicked: OnceLock<String>,
}

impl Shutdown {
    /// A flag nobody has set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that SIGTERM and SIGINT set: every loop commits what it has and leaves. A second signal exits at once,
    /// which is safe too: what is not committed is read again.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn on_signals() -> anyhow::Result<Self> {
        let shutdown = Self::new();
        let flag = shutdown.clone();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().context("start signal thread")?;
        let (mut terminate, mut interrupt) = {
            use tokio::signal::unix::{SignalKind, signal};
            let _entered = runtime.enter();
            let install = |kind| signal(kind).context("install signal handler");
            (install(SignalKind::terminate())?, install(SignalKind::interrupt())?)
        };
        let watch = move || {
            runtime.block_on(async move {
                loop {
                    let name = tokio::select! {
                        _ = terminate.recv() => "SIGTERM",
                        _ = interrupt.recv() => "SIGINT",
                    };
                    if flag.is_set() {
                        tracing::warn!(signal = name, "second signal: leaving at once");
                        // 128 + SIGINT, what a shell expects of an interrupted command.
                        std::process::exit(130);
                    }
                    tracing::info!(signal = name, "stopping");
                    flag.set();
                }
            });
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(watch).context("start signal thread")?;
        Ok(shutdown)
    }

    /// Starts a thread that works beside stages and tables until the flag is set. Nobody waits for it at the end, but a
    /// panic of it sets the flag, and whoever runs stages and tables ends with an error: nobody would miss it otherwise.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn spawn(&self, name: &str, work: impl FnOnce(&Shutdown) + Send + 'static) -> anyhow::Result<()> {
        let (shutdown, who) = (self.clone(), name.to_owned());
        let guarded = move || {
            if catch_unwind(AssertUnwindSafe(|| work(&shutdown))).is_err() {
                // The first is named.
                let _ = shutdown.0.panicked.set(who);
                shutdown.set();
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(guarded);
        thread.map(drop).with_context(|| format!("start the thread {name}"))
    }

    /// What to end with.
    ///
    /// # Errors
    /// When a thread of [`Shutdown::spawn`] panicked.
    pub(crate) fn outcome(&self) -> anyhow::Result<()> {
        match self.0.panicked.get() {
            Some(name) => bail!("{name} panicked: see the message above"),
            None => Ok(()),
        }
    }

    /// Sets the flag and wakes whoever waits for it.
    pub fn set(&self) {
        let guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.set.store(true, Ordering::SeqCst);
        drop(guard);
        self.0.changed.notify_all();
        self.0.notify.notify_waiters();
    }

    /// True once set.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::SeqCst)
    }

    /// Waits until the flag is set, at most this long; true when it is set. A backoff that ends early on shutdown.
    pub fn wait(&self, at_most: Duration) -> bool {
        let guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(guard, at_most, |()| !self.is_set());
        drop(waited);
        self.is_set()
    }

    /// Waits until the flag is set.
    pub async fn triggered(&self) {
        loop {
            let notified = self.0.notify.notified();
            tokio::pin!(notified);
            // Registers before looking, so that a flag set in between is not missed.
            notified.as_mut().enable();
            if self.is_set() {
                return;
            }
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_wakes_when_the_flag_is_set() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.wait(Duration::ZERO));
        let other = shutdown.clone();
        let waiter = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        shutdown.set();
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn a_thread_that_panics_sets_the_flag_and_is_named() {
        let shutdown = Shutdown::new();
        let (told, hears) = std::sync::mpsc::channel();
        shutdown.spawn("well", move |shutdown| told.send(shutdown.wait(Duration::from_secs(60))).unwrap()).unwrap();
        shutdown.outcome().unwrap();
        shutdown.spawn("route-hook", |_| panic!("meant to")).unwrap();
        assert!(hears.recv().unwrap(), "the other is told to end");
        assert_eq!(shutdown.outcome().unwrap_err().to_string(), "route-hook panicked: see the message above");
    }

    #[test]
    fn asynchronous_waiters_wake_too_also_when_they_come_late() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let shutdown = Shutdown::new();
        runtime.block_on(async {
            let other = shutdown.clone();
            let waiter = tokio::spawn(async move { other.triggered().await });
            shutdown.set();
            waiter.await.unwrap();
            shutdown.triggered().await;
        });
    }
}
