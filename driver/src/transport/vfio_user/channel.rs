//! Questions and answers: one at a time, each with a deadline, each answer checked before it is believed.

use super::socket::{self, Broken};
use super::wire::{Body, Command, HEADER, Header, MOST_DATA};
use crate::error::Error;
use std::borrow::Cow;
use std::io;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
}

/// The connection.
///
/// After an answer that is late or wrong nobody knows where the next one begins, so the connection is closed and stays so.
#[derive(Debug)]
pub(super) struct Channel {
    socket: UnixStream,
    deadline: Duration,
    next_id: u16,
    dead: Option<Cow<'static, str>>,
}

impl Channel {
    /// A channel over the stream; each call may take as long as `deadline`.
    pub(super) fn new(socket: UnixStream, deadline: Duration) -> Self {
        Channel { socket, deadline, next_id: 0, dead: None }
    }

    /// Asks and waits for the answer. Its body has at most `most` bytes.
    pub(super) fn call(
        &mut self,
        command: Command,
        body: &Body,
        fds: &[BorrowedFd<'_>],
        most: usize,
    ) -> Result<Reply, Error> {
        self.alive()?;
        let done = self.exchange(command, body, fds, most);
        if let Err(error) = &done
            && error.is_gone()
        {
            self.give_up(error.to_string());
        }
        done
    }

    /// Fails if the connection is closed.
    pub(super) fn alive(&self) -> Result<(), Error> {
        match &self.dead {
            Some(reason) => Err(Error::Gone(reason.clone())),
            None => Ok(()),
        }
    }

    /// As [`Channel::alive`], and looks whether the peer left meanwhile.
    pub(super) fn look(&mut self) -> Result<(), Error> {
        self.alive()?;
        if socket::closed(&self.socket) {
            self.give_up("the server closed the connection".to_owned());
        }
        self.alive()
    }

    /// The answer to the last call was not what the protocol wants.
    pub(super) fn protocol(&mut self, what: &'static str) -> Error {
        let error = Error::Protocol(what.into());
        self.give_up(error.to_string());
        error
    }

    fn give_up(&mut self, reason: String) {
        self.dead.get_or_insert(reason.into());
        // It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn exchange(&mut self, command: Command, body: &Body, fds: &[BorrowedFd<'_>], most: usize) -> Result<Reply, Error> {
        let late = Instant::now() + self.deadline;
        let broken = |broken: Broken| match broken {
            Broken::Late => Error::Timeout { what: command.what(), after: self.deadline },
            Broken::Closed => Error::Gone("the server closed the connection".into()),
            Broken::TooManyFds => Error::Protocol("more than 16 file descriptors came at once".into()),
            Broken::System(error) => Error::Gone(format!("the connection broke: {error}").into()),
        };
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let mut message = Header::command(id, command, body.0.len()).encode().to_vec();
        message.extend_from_slice(&body.0);
        socket::send(&self.socket, &message, fds, late).map_err(broken)?;
        loop {
            // A server that talks all the time never lets us wait, which is where the deadline is looked at otherwise.
            if Instant::now() >= late {
                return Err(broken(Broken::Late));
            }
            let mut fds = Vec::new();
            let mut bytes = [0; HEADER];
            socket::receive(&self.socket, &mut bytes, &mut fds, late).map_err(broken)?;
            let header = Header::decode(&bytes);
            let Some(length) = header.body() else { return Err(wrong("a message is shorter than its header")) };
            if header.is_command() {
                // The server may ask for DMA by message, which it does not need: all our memory is shared.
                if length > MOST_DATA + HEADER {
                    return Err(wrong("a command of the server is too long"));
                }
                let mut body = vec![0; length];
                socket::receive(&self.socket, &mut body, &mut fds, late).map_err(broken)?;
                if header.wants_reply() {
                    socket::send(&self.socket, &header.refusal().encode(), &[], late).map_err(broken)?;
                }
                continue;
            }
            if !header.is_reply() || header.id != id || header.command != command as u16 {
                return Err(wrong("an answer is not that to our question"));
            }
            if length > most {
                return Err(wrong("an answer is longer than it may be"));
            }
            let mut body = vec![0; length];
            socket::receive(&self.socket, &mut body, &mut fds, late).map_err(broken)?;
            if header.is_error() {
                let source = i32::try_from(header.errno).ok().filter(|errno| (1..4096).contains(errno));
                let source = source.map_or_else(|| io::Error::other("no reason given"), io::Error::from_raw_os_error);
                return Err(Error::Refused { what: command.what(), source });
            }
            return Ok(Reply { body, fds });
        }
    }
}

fn wrong(what: &'static str) -> Error {
    Error::Protocol(what.into())
}
