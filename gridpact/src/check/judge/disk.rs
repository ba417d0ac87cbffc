//! Folders of data: writable, with room, on something that is still there after the power was.

use crate::check::facts::{FolderFacts, Limits, Mount};
use crate::check::finding::{Area, Finding};

const AREA: Area = Area::Disk;
/// File systems in memory.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "devtmpfs"];
/// File systems without a journal, which a power cut can damage as a whole.
const NO_JOURNAL: [&str; 4] = ["vfat", "exfat", "msdos", "ext2"];
/// File systems over a network, whose syncs and locks are somebody else's.
const REMOTE: [&str; 6] = ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"];
/// Mount options by which what was synced may not be there.
const UNSAFE_OPTIONS: [&str; 3] = ["nobarrier", "barrier=0", "data=writeback"];
/// Files that should still be possible.
const INODES_WANTED: u64 = 1_000;

/// Everything that is wrong with a folder; one good word where nothing is.
pub(super) fn judge(folder: &FolderFacts, limits: &Limits) -> Vec<Finding> {
    let path = folder.path.display();
    let mut found = Vec::new();
    if let Some(reason) = &folder.unwritable {
        let verb = if folder.there { "written to" } else { "made" };
        found.push(Finding::fault(
            AREA,
            &path,
            format!("{} can't keep its data: the folder can't be {verb}: {reason}", folder.of),
            format!("mkdir -p {path} && chown THE_SERVICE'S_USER {path}, or name another in party.data_dir. Run this as that user."),
        ));
    }
    found.extend(space(folder, limits));
    if let Some(free) = folder.inodes_free.filter(|free| *free < INODES_WANTED) {
        found.push(Finding::warning(
            AREA,
            &path,
            format!("only {free} more files can be made on this file system"),
            "Delete what makes so many files, or take another file system.",
        ));
    }
    found.extend(folder.mount.as_ref().and_then(|mount| durable(folder, mount)));
    if found.is_empty() {
        let kind = folder.mount.as_ref().map_or("an unknown file system", |mount| &mount.kind);
        let free = folder.space.map_or_else(String::new, |(free, _)| format!(", {} free", mib(free)));
        let there = if folder.there { "" } else { "; made at the start" };
        found.push(Finding::good(AREA, &path, format!("on {kind}{free}{there}")));
    }
    found
}

fn space(folder: &FolderFacts, limits: &Limits) -> Option<Finding> {
    // File systems of the kernel's own have no room at all.
    let (free, of) = folder.space.filter(|(_, of)| *of > 0)?;
    let wanted = if folder.ledger { limits.free_wanted_ledger } else { limits.free_wanted };
    let what = format!("{} free of {}", mib(free), mib(of));
    let remedy = match folder.ledger {
        true => "Make room, set store.pruning, or move party.data_dir to a larger disk: a validator whose disk is full stops.",
        false => "Make room (`journalctl --vacuum-size=50M`, `apt-get clean`), or move party.data_dir.",
    };
    if free < limits.free_least {
        return Some(Finding::fault(AREA, folder.path.display(), what, remedy));
    }
    (free < wanted).then(|| {
        Finding::warning(AREA, folder.path.display(), format!("{what}; {} should be", mib(wanted)), remedy)
    })
}

fn durable(folder: &FolderFacts, mount: &Mount) -> Option<Finding> {
    let (path, kind) = (folder.path.display(), mount.kind.as_str());
    let on_card = "Name in party.data_dir a folder on the SD card or a disk, with ext4.";
    let lost = |what: String| match (folder.simulated, folder.ledger) {
        (true, _) => Finding::note(AREA, &path, what),
        (false, true) => Finding::fault(AREA, &path, what, on_card),
        (false, false) => Finding::warning(AREA, &path, what, on_card),
    };
    if mount.options.iter().any(|option| option == "ro") && folder.unwritable.is_none() {
        return Some(Finding::fault(AREA, &path, format!("{} is mounted read-only", mount.at.display()),
            "A card that has become read-only is at its end: `dmesg | grep -i mmc`, and replace it. Else: mount -o remount,rw."));
    }
    if IN_MEMORY.contains(&kind) || mount.upper.as_deref().is_some_and(|upper| IN_MEMORY.contains(&upper)) {
        return Some(lost(format!(
            "it lies in memory ({kind}): what is kept there is gone when the machine restarts"
        )));
    }
    if NO_JOURNAL.contains(&kind) {
        return Some(Finding::warning(AREA, &path, format!("{kind} has no journal: a power cut can damage all of it, and keys on it can't be kept from others"), on_card));
    }
    if REMOTE.contains(&kind) {
        return Some(Finding::warning(
            AREA,
            &path,
            format!("{kind} is over a network: what is synced there is somebody else's word"),
            on_card,
        ));
    }
    if let Some(option) = mount.options.iter().find(|option| UNSAFE_OPTIONS.contains(&option.as_str())) {
        let remedy = "Take the option out of /etc/fstab and mount it anew.";
        return Some(Finding::warning(
            AREA,
            &path,
            format!(
                "{} is mounted with {option}: what was synced may be gone after a power cut",
                mount.at.display()
            ),
            remedy,
        ));
    }
    None
}

fn mib(bytes: u64) -> String {
    let mib = bytes >> 20;
    if mib < 10_240 {
        format!("{mib} MiB")
    } else {
        format!("{} GiB", mib >> 10)
    }
}
