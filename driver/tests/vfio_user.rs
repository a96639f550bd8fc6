//! The vfio-user client against a server that follows a script: what is sent, and what each wrong answer leads to.
#![cfg(target_os = "linux")]

#[path = "common/conversation.rs"]
mod conversation;

use conversation::{BAR2, answer, longs, memfd, message, word, words};
use driver::Error;
use driver::transport::{Transport, VfioUser, VfioUserOptions};
use offwire_hostif::{DmaAccess, Iova, Region};
use offwire_hostmem::{EventFd, SharedMemory};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vmm_sys_util::sock_ctrl_msg::ScmSocket;

/// A command as it arrived: number, body, how many file descriptors came along.
#[derive(Clone, Debug)]
struct Question {
    id: u16,
    command: u16,
    body: Vec<u8>,
    fds: usize,
}

impl Question {
    fn good(&self) -> Vec<u8> {
        message(self.id, self.command, 1, 0, &answer(self.command, &self.body))
    }

    fn with(&self, body: &[u8]) -> Vec<u8> {
        message(self.id, self.command, 1, 0, body)
    }

    fn is_region(&self, region: Region) -> bool {
        self.command == 5 && word(&self.body, 8) == region as u32
    }
}

/// What the server does instead of the good answer.
enum Turn {
    /// The good answer.
    Good,
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes with these descriptors.
    WithFds(Vec<u8>, Vec<RawFd>),
    /// Nothing at all.
    Silence,
    /// The end.
    Close,
}

type Log = Arc<Mutex<Vec<Question>>>;

/// A server with a script; the log is what it was asked.
fn server(mut script: impl FnMut(&Question) -> Turn + Send + 'static) -> (UnixStream, Log) {
    let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
    let log = Log::default();
    let heard = Arc::clone(&log);
    std::thread::spawn(move || {
        let doorbells = memfd(BAR2, libc::MFD_ALLOW_SEALING);
        while let Some(question) = hear(&mut theirs) {
            heard.lock().expect("log").push(question.clone());
            let fds = question.is_region(Region::Bar2).then(|| doorbells.as_raw_fd());
            let (bytes, fds) = match script(&question) {
                Turn::Good => (question.good(), fds.into_iter().collect()),
                Turn::Bytes(bytes) => (bytes, Vec::new()),
                Turn::WithFds(bytes, fds) => (bytes, fds),
                Turn::Silence => continue,
                Turn::Close => return,
            };
            if theirs.send_with_fds(&[&bytes[..]], &fds).is_err() {
                return;
            }
        }
    });
    (ours, log)
}

fn hear(stream: &mut UnixStream) -> Option<Question> {
    let mut header = [0; 16];
    let mut fds = [0; 32];
    let mut iovs = [libc::iovec { iov_base: header.as_mut_ptr().cast(), iov_len: header.len() }];
    // SAFETY: the vector names the header, which lives until the call returns.
    let (size, count) = unsafe { stream.recv_with_fds(&mut iovs, &mut fds) }.ok()?;
    for &fd in &fds[..count] {
        // SAFETY: a descriptor that was just received.
        drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    }
    stream.read_exact(&mut header[size..]).ok()?;
    let mut body = vec![0; word(&header, 4) as usize - 16];
    stream.read_exact(&mut body).ok()?;
    let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    Some(Question { id: half(0), command: half(2), body, fds: count })
}

fn options() -> VfioUserOptions {
    VfioUserOptions { deadline: Duration::from_secs(5), guard: true }
}

fn open(script: impl FnMut(&Question) -> Turn + Send + 'static) -> Result<(VfioUser, Log), Error> {
    let (stream, log) = server(script);
    Ok((VfioUser::over(stream, options())?, log))
}

/// Opens against a server that answers one question otherwise.
fn open_with(
    wanted: impl Fn(&Question) -> bool + Send + 'static,
    otherwise: impl Fn(&Question) -> Turn + Send + 'static,
) -> Result<(VfioUser, Log), Error> {
    open(move |question| if wanted(question) { otherwise(question) } else { Turn::Good })
}

#[test]
fn a_conversation_keeps_to_the_limits_of_the_server() {
    let (stream, log) = server(|_| Turn::Good);
    let way = VfioUser::over(stream, VfioUserOptions { deadline: Duration::MAX, guard: false }).expect("open");
    log.lock().expect("log").clear();
    let events: Vec<_> = (0..12).map(|_| Some(Arc::new(EventFd::new().expect("eventfd")))).collect();
    way.set_interrupts(1, &events).expect("interrupts");
    way.set_interrupts(14, &[None, None]).expect("no interrupts");
    // 9,000 B at 100, 4,096 B at most at once.
    let mut bytes = vec![0; 9000];
    way.read(Region::Bar2, 100, &mut bytes).expect("read");
    let expected: Vec<u8> = (100..9100).map(|at| conversation::content(2, at)).collect();
    assert_eq!(bytes, expected);
    let memory = Arc::new(SharedMemory::new("test", 8192).expect("memory"));
    way.dma_map(Iova(0x7000), &memory, 4096, 4096, DmaAccess::Read).expect("map");
    way.dma_map(Iova(0x9000), &memory, 0, 4096, DmaAccess::Write).expect("map");
    let log = log.lock().expect("log");
    let heard: Vec<(u16, Vec<u8>, usize)> =
        log.iter().map(|question| (question.command, question.body.clone(), question.fds)).collect();
    let access = |offset: u64, count: u32| [longs(&[offset]), words(&[2, count])].concat();
    assert_eq!(
        heard,
        [
            (8, words(&[20, 0x24, 2, 1, 8]), 8),
            (8, words(&[20, 0x24, 2, 9, 4]), 4),
            (8, words(&[20, 0x24, 2, 14, 2]), 0),
            (9, access(100, 4096), 0),
            (9, access(4196, 4096), 0),
            (9, access(8292, 808), 0),
            (2, [words(&[32, 1]), longs(&[4096, 0x7000, 4096])].concat(), 1),
            (2, [words(&[32, 2]), longs(&[0, 0x9000, 4096])].concat(), 1),
        ]
    );
}

#[test]
fn a_silent_server_is_given_up() {
    let options = VfioUserOptions { deadline: Duration::from_millis(50), guard: false };
    let (stream, _log) = server(|_| Turn::Silence);
    let start = Instant::now();
    let error = VfioUser::over(stream, options).expect_err("silence");
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(start.elapsed() >= options.deadline);
    assert_eq!(error.to_string(), "no answer to the protocol version within 50ms");
}

#[test]
fn a_server_that_talks_without_end_is_given_up() {
    let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
    // There is always something to read, so that the client never waits; the end behind it must not be reached.
    for _ in 0..100 {
        theirs.write_all(&message(9, 11, 16, 0, &[0; 64])).expect("room");
    }
    drop(theirs.shutdown(std::net::Shutdown::Write));
    let error = VfioUser::over(ours, VfioUserOptions { deadline: Duration::ZERO, guard: false });
    assert!(matches!(error, Err(Error::Timeout { .. })), "{error:?}");
}

#[test]
fn after_a_wrong_answer_nothing_works() {
    for wrong in [
        |question: &Question| message(question.id.wrapping_add(1), 13, 1, 0, &[]),
        |question: &Question| message(question.id, 12, 1, 0, &[]),
        |question: &Question| message(question.id, 13, 2, 0, &[]),
        |question: &Question| message(question.id, 13, 1, 0, &[0; 65]),
        |question: &Question| [&question.good()[..4], &[15, 0, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0]].concat(),
    ] {
        let (way, _log) =
            open_with(|question| question.command == 13, move |question| Turn::Bytes(wrong(question))).expect("open");
        let error = way.reset().expect_err("a wrong answer");
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        for error in [way.reset(), way.alive(), way.kick(), way.read(Region::Bar0, 0, &mut [0])] {
            let error = error.expect_err("the connection is given up");
            assert!(matches!(error, Error::Gone(_)), "{error}");
            assert!(error.to_string().contains("broke the vfio-user protocol"), "{error}");
        }
        assert_eq!(way.region_size(Region::Bar2), BAR2, "what is known stays known");
    }
}

#[test]
fn a_refusal_is_told_and_forgotten() {
    let (way, _log) = open_with(
        |question| [2, 3, 8, 9, 10, 13].contains(&question.command),
        |question| Turn::Bytes(message(question.id, question.command, 1 | 32, 28, &[])),
    )
    .expect("open");
    let memory = Arc::new(SharedMemory::new("test", 4096).expect("memory"));
    let mut bytes = [7; 4];
    for refused in [
        way.dma_map(Iova(0x1000), &memory, 0, 4096, DmaAccess::Read),
        way.dma_unmap(Iova(0x1000), 4096),
        way.set_interrupts(0, &[None]),
        way.read(Region::Bar0, 0, &mut bytes),
        way.write(Region::Bar0, 0, &[1, 2, 3, 4]),
        way.reset(),
    ] {
        match refused {
            Err(Error::Refused { source, .. }) => assert_eq!(source.raw_os_error(), Some(28)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bytes, [7; 4]);
    way.alive().expect("still there");
}

#[test]
fn errors_without_a_reason_are_errors() {
    for errno in [0, 4096, u32::MAX] {
        let (way, _log) = open_with(
            |question| question.command == 13,
            move |question| Turn::Bytes(message(question.id, 13, 1 | 32, errno, &[])),
        )
        .expect("open");
        let error = way.reset().expect_err("refused").to_string();
        assert_eq!(error, "the device refused a reset: no reason given");
    }
}

#[test]
fn answers_must_fit_their_questions() {
    type Wrong = fn(&Question) -> Vec<u8>;
    let read: Wrong = |question| {
        let mut body = answer(9, &question.body);
        body.truncate(body.len() - 1);
        question.with(&body)
    };
    let elsewhere: Wrong = |question| {
        let mut body = answer(9, &question.body);
        body[0] ^= 4;
        question.with(&body)
    };
    for (command, wrong) in [(9, read), (9, elsewhere), (10, |question| question.with(&question.body[..15]))] {
        let (way, _log) =
            open_with(move |question| question.command == command, move |question| Turn::Bytes(wrong(question)))
                .expect("open");
        let mut bytes = [7; 4];
        let done = way.read(Region::Bar0, 8, &mut bytes).and_then(|()| way.write(Region::Bar0, 8, &[0; 4]));
        assert!(matches!(done, Err(Error::Protocol(_))), "{command}: {done:?}");
        assert!(command != 9 || bytes == [7; 4], "a wrong answer was copied");
    }
    let unmap = |size: u64| {
        let (way, _log) = open_with(
            |question| question.command == 3,
            move |question| Turn::Bytes(question.with(&[words(&[24, 0]), longs(&[0x1000, size])].concat())),
        )
        .expect("open");
        way.dma_unmap(Iova(0x1000), 0x2000)
    };
    unmap(0x2000).expect("all of it");
    assert!(matches!(unmap(0x1000), Err(Error::Unmapped { unmapped: 0x1000, .. })));
    assert!(matches!(unmap(0), Err(Error::Unmapped { unmapped: 0, .. })));
    assert!(matches!(unmap(0x3000), Err(Error::Protocol(_))));
}

#[test]
fn descriptions_are_checked() {
    let device = |flags, regions, irqs| {
        open_with(
            |question| question.command == 4,
            move |question| Turn::Bytes(question.with(&words(&[16, flags, regions, irqs]))),
        )
    };
    device(3, 9, 5).expect("a PCI function");
    for (flags, regions, irqs) in [(1, 9, 5), (2, 7, 5), (2, 9, 2), (0, 0, 0)] {
        assert!(matches!(device(flags, regions, irqs), Err(Error::Protocol(_))), "{flags} {regions} {irqs}");
    }
    let (way, _log) = device(2, 9, 5).expect("a function without reset");
    assert!(matches!(way.reset(), Err(Error::Refused { .. })));

    let irqs = |flags, index, count| {
        open_with(
            |question| question.command == 7,
            move |question| Turn::Bytes(question.with(&words(&[16, flags, index, count]))),
        )
    };
    assert_eq!(irqs(1, 2, 2048).expect("the most that there are").0.vectors(), 2048);
    assert_eq!(irqs(0, 2, 0).expect("none").0.vectors(), 0);
    for (flags, index, count) in [(1, 2, 2049), (1, 2, u32::MAX), (0, 2, 1), (1, 1, 1)] {
        assert!(matches!(irqs(flags, index, count), Err(Error::Protocol(_))), "{flags} {index} {count}");
    }
}

/// Opens against a server whose BAR2 has this description and these descriptors.
fn bar2(description: Vec<u8>, fds: Vec<RawFd>) -> Result<VfioUser, Error> {
    let opened = open_with(
        |question| question.is_region(Region::Bar2),
        move |question| Turn::WithFds(question.with(&description), fds.clone()),
    );
    opened.map(|(way, _)| way)
}

/// A description: flags, first capability, size, offset in the file, sparse areas.
fn description(flags: u32, first: u32, size: u64, offset: u64, areas: &[(u64, u64)]) -> Vec<u8> {
    let mut body = words(&[32, flags, 2, first]);
    body.extend(longs(&[size, offset]));
    body.extend([1, 0, 1, 0, 0, 0, 0, 0]);
    body.extend(words(&[areas.len() as u32, 0]));
    body.extend(areas.iter().flat_map(|&(start, size)| longs(&[start, size])));
    body
}

#[test]
fn only_what_is_safe_is_mapped() {
    let file = memfd(0x8000, libc::MFD_ALLOW_SEALING);
    let fd = file.as_raw_fd();
    let way = bar2(description(15, 32, 0x4000, 0x4000, &[(0, 0x4000)]), vec![fd]).expect("open");
    let memory = way.map_region(Region::Bar2).expect("mapped");
    assert!(memory.write(4, &[9]));
    let mut byte = [0];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut byte, 0x4004).expect("read");
    assert_eq!(byte, [9], "the offset in the file");
    bar2(description(7, 0, 0x4000, 0, &[]), vec![fd]).expect("open").map_region(Region::Bar2).expect("no capability");

    let unsealable = memfd(0x8000, 0);
    let null = std::fs::File::open("/dev/null").expect("open");
    // Why not, and whether the server is to blame.
    for (what, description, fds, to_blame) in [
        ("no descriptor", description(15, 32, 0x4000, 0, &[(0, 0x4000)]), vec![], false),
        ("not to be mapped", description(3, 0, 0x4000, 0, &[]), vec![fd], false),
        ("a part", description(15, 32, 0x4000, 0, &[(0, 0x2000)]), vec![fd], false),
        ("two parts", description(15, 32, 0x4000, 0, &[(0, 0x2000), (0x2000, 0x2000)]), vec![fd, fd], false),
        ("behind the end", description(15, 32, 0x4000, 0x5000, &[(0, 0x4000)]), vec![fd], true),
        ("far behind the end", description(15, 32, 0x4000, u64::MAX - 0xfff, &[(0, 0x4000)]), vec![fd], true),
        ("not on a page", description(15, 32, 0x4000, 8, &[(0, 0x4000)]), vec![fd], true),
        ("too large", description(15, 32, 1 << 62, 0, &[(0, 1 << 62)]), vec![fd], true),
        ("a file that can shrink", description(15, 32, 0x4000, 0, &[(0, 0x4000)]), vec![unsealable.as_raw_fd()], true),
        ("no file", description(15, 32, 0x4000, 0, &[(0, 0x4000)]), vec![null.as_raw_fd()], true),
    ] {
        let way = bar2(description, fds).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(way.map_region(Region::Bar2).is_none(), "{what}");
        assert_eq!(way.unmapped().is_some(), to_blame, "{what}: {:?}", way.unmapped());
        let mut bytes = [0; 4];
        way.read(Region::Bar2, 0, &mut bytes).expect("by message");
    }
    let areas: Vec<(u64, u64)> = (0..65).map(|at| (at, 1)).collect();
    for (what, description) in [
        ("an area outside", description(15, 32, 0x4000, 0, &[(0x1000, 0x4000)])),
        ("an area that wraps", description(15, 32, 0x4000, 0, &[(u64::MAX, 2)])),
        ("too many areas", description(15, 32, 0x4000, 0, &areas)),
        ("a capability in the description", description(15, 16, 0x4000, 0, &[(0, 0x4000)])),
        ("a capability outside", description(15, 4000, 0x4000, 0, &[(0, 0x4000)])),
        ("another region", [&words(&[32, 3, 0, 0])[..], &longs(&[0x4000, 0])].concat()),
        ("cut short", vec![0; 31]),
    ] {
        let refused = bar2(description, vec![fd]);
        assert!(matches!(refused, Err(Error::Protocol(_))), "{what}: {refused:?}");
    }
    let crowd = bar2(description(15, 32, 0x4000, 0, &[(0, 0x4000)]), vec![fd; 17]);
    assert!(matches!(crowd, Err(Error::Protocol(_))), "{crowd:?}");
}

#[test]
fn commands_of_the_server_are_answered_and_passed_over() {
    let (way, log) = open(|question| match question.command {
        13 => {
            let asks = message(0x77, 11, 0, 0, &[1; 32]);
            let asks_without_answer = message(0x78, 12, 16, 0, &[2; 48]);
            Turn::Bytes([asks, asks_without_answer, question.good()].concat())
        }
        11 | 12 => Turn::Silence,
        _ => Turn::Good,
    })
    .expect("open");
    way.reset().expect("the answer comes behind the commands");
    way.read_u32(Region::Bar0, 0).expect("the stream is in step");
    let log = log.lock().expect("log");
    let answers: Vec<_> = log.iter().filter(|question| [11, 12].contains(&question.command)).collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!((answers[0].id, answers[0].body.len()), (0x77, 0));
}

#[test]
fn the_end_of_the_server_is_noticed() {
    let (way, _log) = open_with(|question| question.command == 13, |_| Turn::Close).expect("open");
    way.alive().expect("it is there");
    let error = way.reset().expect_err("it left");
    assert_eq!(error.to_string(), "the device is gone: the server closed the connection");
    for _ in 0..2 {
        let error = way.alive().expect_err("it left");
        assert!(matches!(error, Error::Gone(_)), "{error}");
    }
    let refused = way.set_interrupts(u16::MAX, &[None, None]).expect_err("it left");
    assert!(refused.is_gone(), "that it is gone comes first: {refused}");

    let (ours, theirs) = UnixStream::pair().expect("socketpair");
    drop(theirs);
    assert!(VfioUser::over(ours, options()).expect_err("nobody").is_gone());
}

#[test]
fn a_listener_that_does_not_accept_is_given_up() {
    let path = std::env::temp_dir().join(format!("offwire-deaf-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("bind");
    // SAFETY: no pointers. A queue of one.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let waiting = UnixStream::connect(&path).expect("the one");
    let options = VfioUserOptions { deadline: Duration::from_millis(50), guard: false };
    let error = VfioUser::connect(&path, options).expect_err("the queue is full");
    assert_eq!(error.to_string(), "no answer to a connection within 50ms");
    drop(waiting);
    drop(listener);
    std::fs::remove_file(&path).expect("remove");
    let error = VfioUser::connect(&path, options).expect_err("nobody");
    assert!(matches!(&error, Error::System { source, .. } if source.kind() == ErrorKind::NotFound), "{error}");
    for wrong in ["", "a\0b", &"x".repeat(108)] {
        let error = VfioUser::connect(Path::new(wrong), options).expect_err("no path");
        assert!(matches!(&error, Error::System { source, .. } if source.kind() == ErrorKind::InvalidInput), "{error}");
    }
}
