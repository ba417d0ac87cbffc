//! A validator whose disk is full: its process is started with a limit on the length of its files, a little
//! above what they have. It must stop and say so while the others go on, and come back when there is room.

use super::load::Load;
use super::{TormentError, LEVEL_LIMIT};
use crate::cluster::process::Limits;
use crate::cluster::Cluster;
use std::path::Path;
use std::time::{Duration, Instant};

/// The validator whose disk is full.
const VICTIM: usize = 1;
/// What its files may grow by, in bytes.
const ROOM_BYTES: u64 = 64 * 1024;
/// What a limit is counted in.
const BLOCK_BYTES: u64 = 512;
/// Longest wait for it to stop: some hundred entries fill what room there is.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// What the last line of a process begins with that says why it ends.
const OUR_WORD: &str = "gridpact: ";
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Fills a validator's disk; says what it did then.
///
/// # Errors
/// Where it does not stop, or the others do, or it does not come back.
pub async fn fill(cluster: &mut Cluster, load: &mut Load) -> Result<String, TormentError> {
    if !cfg!(unix) {
        return Ok("not tried: the length of a process's files can be limited on Unix alone".to_owned());
    }
    cluster.kill(VICTIM)?;
    let longest = longest_file(&cluster.layout.data_dir(VICTIM));
    let limits = Limits { file_blocks: Some((longest + ROOM_BYTES).div_ceil(BLOCK_BYTES)) };
    cluster.launch(VICTIM, limits)?;
    let (start, before) = (Instant::now(), load.height());
    while cluster.ended(VICTIM).is_none() {
        if start.elapsed() > STOP_LIMIT {
            let (seconds, words) = (STOP_LIMIT.as_secs(), cluster.last_words(VICTIM));
            return Err(TormentError::FullDisk { seconds, words });
        }
        load.submit_for(LOOK).await;
    }
    let words = cluster.last_words(VICTIM);
    cluster.kill(VICTIM)?;
    // The others decide without it.
    load.submit_for(Duration::from_secs(2)).await;
    let meanwhile = load.height() - before;
    cluster.launch(VICTIM, Limits::default())?;
    load.quiet(cluster, LEVEL_LIMIT).await?;
    let said = words.lines().rev().find(|line| line.starts_with(OUR_WORD)).unwrap_or_default();
    Ok(format!(
        "one validator ended ({}), the others went on for {meanwhile} blocks, and it came back",
        said.trim()
    ))
}

/// Length of the longest file in a folder and those in it, in bytes.
fn longest_file(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let length = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => longest_file(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(length).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_file_is_found_in_folders_too() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), [0; 3]).unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/b"), [0; 7]).unwrap();
        assert_eq!(longest_file(folder.path()), 7);
    }
}
