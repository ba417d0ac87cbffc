//! One process of this program: started with a pipe to its standard input, whose end ends it with us;
//! looked at through its counters and the operating system's.

use super::layout::{failed, ProcessFile};
use super::ClusterError;
use crate::processor_time;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longest wait for an answer to a look.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Last words of a process that are shown.
const WORDS_BYTES: usize = 2_000;

/// What a process may not do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// No file longer than so many blocks of 512 bytes: a disk that is full, as far as one process
    /// can tell.
    pub file_blocks: Option<u64>,
}

/// A process that runs.
pub struct Node {
    shown: ProcessFile,
    log: PathBuf,
    child: Child,
}

impl Node {
    /// Starts `program` with a configuration. What it says goes to a file in `folder`.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn start(
        program: &Path,
        shown: &ProcessFile,
        folder: &Path,
        limits: Limits,
    ) -> Result<Node, ClusterError> {
        let name = shown.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let log = folder.join(format!("{name}.log"));
        let output =
            OpenOptions::new().create(true).append(true).open(&log).map_err(failed("opening", &log))?;
        let mut command = match limits.file_blocks {
            None => Command::new(program),
            Some(blocks) => {
                // A write beyond the limit must fail, and not end the process: both the limit and the
                // ignored signal are inherited.
                let mut shell = Command::new("sh");
                let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
                shell.arg("-c").arg(script).arg(program);
                shell
            }
        };
        command.arg("run").arg("--until-stdin-ends").arg(&shown.file);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(output);
        let child = command.spawn().map_err(|source| ClusterError::Process {
            act: "starting",
            file: shown.file.clone(),
            source,
        })?;
        Ok(Node { shown: shown.clone(), log, child })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// Where it can't be killed.
    pub fn kill(mut self) -> Result<(), ClusterError> {
        self.end().map_err(|source| ClusterError::Process {
            act: "killing",
            file: self.shown.file.clone(),
            source,
        })
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// An error where it ended by itself.
    ///
    /// # Errors
    /// [`ClusterError::Ended`], with its last words.
    pub fn check_alive(&mut self) -> Result<(), ClusterError> {
        match self.ended() {
            None => Ok(()),
            Some(status) => {
                Err(ClusterError::Ended { file: self.shown.file.clone(), status, words: self.last_words() })
            }
        }
    }

    /// How it ended by itself, where it did.
    pub fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The end of what it and its predecessors wrote.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(WORDS_BYTES)..]).into_owned()
    }

    /// The sum of all its counters of this name; for a histogram's parts, their full name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        sum_of(&self.counters()?, name)
    }

    fn counters(&self) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.shown.metrics, ANSWER_LIMIT).ok()?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Seconds of processor time it has used, where the system says it.
    pub fn cpu_seconds(&self) -> Option<f64> {
        processor_time::seconds_of(self.id())
    }

    /// Memory it has resident, in megabytes of 1e6 bytes, where the system says it.
    pub fn resident_mb(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1_024.0 / 1e6)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A process that is gone already can't be killed again.
        let _ = self.end();
    }
}

/// Sums what stands behind `name`, with labels or without (Prometheus' text format).
fn sum_of(text: &str, name: &str) -> Option<f64> {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let rest = match rest.strip_prefix('{') {
            Some(labelled) => labelled.split_once('}')?.1,
            None => rest,
        };
        rest.strip_prefix(' ')?.trim().parse::<f64>().ok()
    };
    let mut values = text.lines().filter_map(value).peekable();
    values.peek()?;
    Some(values.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_one_name_are_added_whatever_their_labels() {
        let text = "# HELP a b\na 3\na{x=\"1\"} 4\nab 5\na_count{x=\"{\"} 6\n";
        assert_eq!(sum_of(text, "a"), Some(7.0));
        assert_eq!(sum_of(text, "a_count"), Some(6.0));
        assert_eq!(sum_of(text, "c"), None);
    }
}
