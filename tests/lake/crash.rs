//! Every step of a sink goes wrong once: the process dies before or after it, its answer is lost or late, the request is
//! cut, the store or the disk refuses. Afterwards the lake holds each row once.

use std::process::Child;
use std::time::{Duration, Instant};

use spendstream_tests::s3::Fault;

use crate::ground::Ground;
use crate::sample::{Sample, drive, drive_table, held};

const PATIENCE: Duration = Duration::from_secs(300);

/// Waits for a sink's end; true when it ended by itself, with all done.
fn ended_well(mut sink: Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = sink.try_wait().expect("ask for its state") {
            return status.success();
        }
        if Instant::now() > deadline {
            sink.kill().expect("kill the sink");
            panic!("the sink did not end within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Kills a sink at a write, on a server of its own, and lets another go on; then at a later one. Gives how many writes
/// there were.
fn kill_at_writes(fault: Fault, step: usize) -> usize {
    let sample = Sample::new();
    for write in (0..).step_by(step) {
        let ground = Ground::server();
        ground.s3().plan_after(write, fault, &[], 1);
        let sink = ground.sink();
        ground.s3().victim(sink.id());
        let finished = ended_well(sink);
        assert_eq!(finished, ground.s3().faults_hit() == 0, "a sink that nobody killed failed at write {write}");
        let lake = ground.lake();
        drive(&lake, &sample, 3, 0);
        assert_eq!(held(&lake), sample.held, "{fault:?} at write {write}");
        if finished {
            return write;
        }
    }
    unreachable!("a run has an end")
}

/// The writes of a run, counted: a probe of three requests, a table and its flushes.
const WRITES: usize = 3 + 8 + 26;

#[test]
fn a_kill_before_any_write_to_s3_loses_and_doubles_nothing() {
    assert!(kill_at_writes(Fault::KillBefore, 1) >= WRITES);
}

#[test]
fn a_kill_after_a_write_to_s3_loses_and_doubles_nothing() {
    // Whoever is killed after a write leaves what one leaves who is killed before the next: some will do.
    assert!(kill_at_writes(Fault::KillAfter, 4) >= WRITES - 4);
}

/// Lets writes in turn go wrong, on one lake after the other; gives how many there were.
fn go_wrong_at_writes(fault: Fault, times: usize, step: usize) -> usize {
    let sample = Sample::new();
    for write in (0..).step_by(step) {
        let ground = Ground::server();
        ground.s3().plan_after(write, fault, &[], times);
        let lake = ground.lake();
        drive(&lake, &sample, 4, 5);
        assert_eq!(held(&lake), sample.held, "{fault:?} at write {write}");
        if ground.s3().faults_hit() == 0 {
            return write;
        }
    }
    unreachable!("a run has an end")
}

#[test]
fn an_answer_that_the_wire_loses_at_any_write_changes_nothing() {
    assert!(go_wrong_at_writes(Fault::LoseAnswer, 1, 1) >= WRITES - 3);
}

#[test]
fn a_request_cut_short_at_a_write_changes_nothing() {
    assert!(go_wrong_at_writes(Fault::Truncate, 1, 3) >= WRITES - 6);
}

#[test]
fn storms_of_503_that_outlast_the_client_change_nothing() {
    // The client tries seven times; ten in a row fail it, and the sink goes on from where the table stands.
    assert!(go_wrong_at_writes(Fault::Unavailable, 10, 4) >= WRITES - 7);
}

#[test]
fn uploads_and_commits_that_arrive_after_the_client_gave_up_change_nothing() {
    let sample = Sample::new();
    // The first entry of the log makes the table.
    let writes: [(&[&str], usize); 3] =
        [(&["charges/event_date"], 0), (&["charges/event_date"], 1), (&["charges/_delta_log"], 1)];
    for (path, skip) in writes {
        let ground = Ground::server();
        ground.s3().plan_after(skip, Fault::Delay(Duration::from_millis(1_700)), path, 1);
        let lake = ground.lake_within(Duration::from_secs(1));
        drive(&lake, &sample, 2, 5);
        // What was delayed lands now, if it has not yet.
        std::thread::sleep(Duration::from_millis(1_800));
        assert_eq!(held(&lake), sample.held, "{path:?} after {skip}");
        assert_eq!(ground.s3().faults_hit(), 1, "{path:?} after {skip}");
    }
}

#[test]
fn two_sinks_at_once_write_each_row_once() {
    for ground in Ground::both() {
        let sample = Sample::new();
        let sinks = [ground.sink(), ground.sink()];
        for sink in sinks {
            assert!(ended_well(sink), "a sink that another one overtook must go on behind it");
        }
        assert_eq!(held(&ground.lake()), sample.held);
    }
}

/// A small disk of its own, unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = std::ffi::CString::new(folder.path().display().to_string()).expect("a path");
        // SAFETY: all are texts that end in a zero, and live until the call returns.
        let mounted =
            unsafe { libc::mount(c"tmpfs".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), 0, c"size=4m".as_ptr().cast()) };
        let error = std::io::Error::last_os_error();
        assert_eq!(
            mounted, 0,
            "a small disk to fill cannot be mounted ({error}): run the tests as root, or leave this one out with \
             SPENDSTREAM_TESTS_WITHOUT_MOUNT=1"
        );
        Disk(folder)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let path = std::ffi::CString::new(self.0.path().display().to_string()).expect("a path");
        // SAFETY: a text that ends in a zero.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    }
}

#[test]
fn a_full_disk_is_named_and_when_there_is_room_again_nothing_is_missing() {
    if std::env::var_os("SPENDSTREAM_TESTS_WITHOUT_MOUNT").is_some() {
        eprintln!("LEFT OUT, as SPENDSTREAM_TESTS_WITHOUT_MOUNT asks: a full disk");
        return;
    }
    let sample = Sample::new();
    // Room for nothing, for a part of a file, for the files but not for their commit, and for some flushes.
    for room in [0, 8 << 10, 48 << 10, 80 << 10, 200 << 10] {
        let disk = Disk::mount();
        let lake = sink::Lake::open(&sink::LakeConfig::at(disk.0.path().join("lake").display().to_string()));
        let lake = lake.expect("the disk has room yet");
        drive_table(&lake, "charges", &sample.first(0), 1).expect("a table");
        let filler = disk.0.path().join("filler");
        fill(&filler, room);
        let error = drive_table(&lake, "charges", &sample, 1).expect_err("the disk is full");
        let error = format!("{error:#}");
        assert!(error.contains("the disk of the lake is full"), "{error}");
        std::fs::remove_file(&filler).expect("the filler is there");
        drive(&lake, &sample, 1, 0);
        assert_eq!(held(&lake), sample.held, "with room for {room} bytes");
    }
}

#[test]
fn files_that_the_system_cuts_off_are_named_and_nothing_is_missing_once_it_lets_them_grow() {
    let sample = Sample::new();
    let ground = Ground::folder();
    // Too little for the description of a table, and enough for that but not for a file of charges.
    for bytes in [4 << 10, 48 << 10] {
        assert!(ended_well(ground.sink_with("LAKE_TEST_FILE_BYTES", &bytes.to_string())), "{bytes} bytes a file");
    }
    let lake = ground.lake();
    drive(&lake, &sample, 2, 0);
    assert_eq!(held(&lake), sample.held);
}

/// Fills the disk but for so many bytes.
fn fill(filler: &std::path::Path, room: u64) {
    use std::io::Write;
    let mut file = std::fs::File::create(filler).expect("room for a name");
    let mut size = 0;
    while file.write_all(&[1; 4096]).is_ok() {
        size += 4096;
    }
    file.set_len(size - room).expect("a file can be cut");
}
