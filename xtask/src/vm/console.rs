//! What the guest says on its serial console.

use anyhow::{Result, bail};

/// What the checks came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// What the guest counted, passed and failed; none if it did not come to its end.
    pub(super) counted: Option<(u32, u32)>,
}

impl Verdict {
    /// Takes a line; true if it is worth showing.
    pub(super) fn line(&mut self, line: &str) -> bool {
        if line.starts_with("PASS ") {
            self.passed += 1;
        } else if line.starts_with("FAIL ") {
            self.failed += 1;
        } else if let Some(counts) = line.strip_prefix("DONE ") {
            let mut numbers = counts.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
            self.counted = numbers.next().zip(numbers.next());
        } else {
            return line.starts_with("  ") || line.starts_with("error: ") || line.starts_with("guest: ");
        }
        true
    }

    /// Fails unless everything passed, and the guest says so.
    pub(super) fn judge(&self) -> Result<()> {
        match self.counted {
            None => bail!("vm: the guest did not come to the end of its checks; --keep keeps its console"),
            Some(counted) if counted != (self.passed, self.failed) => {
                bail!("vm: the guest counts {counted:?}, its console shows {:?}", (self.passed, self.failed))
            }
            Some(_) if self.failed > 0 => bail!("vm: {} checks failed", self.failed),
            Some((0, _)) => bail!("vm: nothing was checked"),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    fn judged(text: &str) -> Option<String> {
        let mut verdict = Verdict::default();
        for line in text.lines() {
            verdict.line(line);
        }
        verdict.judge().err().map(|error| error.to_string())
    }

    #[test]
    fn only_a_guest_that_passed_everything_and_says_so_is_good() {
        assert_eq!(judged("noise\nPASS bind (3 ms)\n  detail\nPASS open (1 ms)\nDONE 2 passed, 0 failed\n"), None);
        for (text, why) in [
            ("PASS bind (3 ms)\n", "did not come to the end"),
            ("PASS bind (3 ms)\nDONE 2 passed, 0 failed\n", "the guest counts (2, 0)"),
            ("PASS bind (3 ms)\nFAIL open (1 ms): gone\nDONE 1 passed, 1 failed\n", "1 checks failed"),
            ("DONE 0 passed, 0 failed\n", "nothing was checked"),
            ("DONE\n", "did not come to the end"),
        ] {
            assert!(judged(text).is_some_and(|error| error.contains(why)), "{text}: {:?}", judged(text));
        }
    }
}
