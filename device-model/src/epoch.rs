//! Epochs: when the last packet has left that was in the device at some moment.
//!
//! A packet belongs to the epoch in which it entered the ingress FIFO. There are two kinds of epochs, odd and even ones, and a
//! number of packets inside for each; the next epoch starts when it is wanted and the last packet of the one before the running
//! one has left. So what was asked for in epoch e has been waited for when e + 2 starts. An add at each end of a packet is all
//! that it costs.

/// The epochs of a device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epochs {
    now: u64,
    /// Packets inside, of even and odd epochs.
    inside: [u64; 2],
    /// The latest epoch that somebody waits for.
    wanted: u64,
}

/// The start of an epoch that somebody waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grace(u64);

impl Epochs {
    /// A packet comes in. What is given belongs to [`Epochs::leave`].
    #[inline(always)]
    pub(crate) fn enter(&mut self) -> u8 {
        let tag = self.now & 1;
        self.inside[tag as usize] += 1;
        tag as u8
    }

    /// A packet leaves.
    #[inline(always)]
    pub(crate) fn leave(&mut self, tag: u8) {
        self.inside[usize::from(tag & 1)] -= 1;
        if self.wanted > self.now {
            self.advance();
        }
    }

    /// Waits for all packets that are inside now.
    pub(crate) fn request(&mut self) -> Grace {
        let grace = self.now + 2;
        self.wanted = self.wanted.max(grace);
        self.advance();
        Grace(grace)
    }

    /// True if all packets have left that were inside at the request.
    pub(crate) fn passed(&self, grace: Grace) -> bool {
        self.now >= grace.0
    }

    #[cold]
    fn advance(&mut self) {
        while self.wanted > self.now && self.inside[((self.now + 1) & 1) as usize] == 0 {
            self.now += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Against the list of the packets that were inside at each request: a request is never over too early, and over when all
    /// packets are outside.
    #[test]
    fn a_request_is_over_when_its_packets_have_left() {
        let (mut early, mut late) = (0, 0);
        for seed in 0..200u64 {
            let mut state = seed;
            let mut random = move |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % below
            };
            let mut epochs = Epochs::default();
            let mut inside: VecDeque<(u64, u8)> = VecDeque::new();
            let mut requests: Vec<(Grace, u64)> = Vec::new();
            let mut next = 0;
            for _ in 0..2000 {
                match random(8) {
                    0..=3 if inside.len() < 20 => {
                        inside.push_back((next, epochs.enter()));
                        next += 1;
                    }
                    7 => requests.push((epochs.request(), next)),
                    _ => {
                        let at = random(inside.len() as u64 + 1) as usize;
                        if let Some((_, tag)) = inside.remove(at) {
                            epochs.leave(tag);
                        }
                    }
                }
                requests.retain(|&(grace, before)| {
                    let gone = inside.iter().all(|&(packet, _)| packet >= before);
                    assert!(gone || !epochs.passed(grace), "seed {seed}: over while a packet is inside");
                    early += u64::from(gone && epochs.passed(grace));
                    late += u64::from(gone && !epochs.passed(grace));
                    !epochs.passed(grace)
                });
            }
            for (_, tag) in inside {
                epochs.leave(tag);
            }
            assert!(requests.iter().all(|&(grace, _)| epochs.passed(grace)), "seed {seed}: never over");
        }
        assert!(early > 1000 && late > 100, "{early} {late}");
    }
}
