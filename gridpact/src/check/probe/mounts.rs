//! Which file system a folder lies on, by `/proc/self/mountinfo`.

use crate::check::facts::Mount;
use std::path::{Path, PathBuf};

/// The file system of a folder, by a list of them all.
pub fn of(folder: &Path, mountinfo: &str) -> Option<Mount> {
    let all: Vec<(Mount, Option<PathBuf>)> = mountinfo.lines().filter_map(parse).collect();
    let on = |folder: &Path| {
        // Of two mounted at one place the later one is seen.
        let deepest = all.iter().filter(|(mount, _)| folder.starts_with(&mount.at));
        deepest.max_by_key(|(mount, _)| mount.at.components().count()).cloned()
    };
    let (mut mount, upper) = on(folder)?;
    // The upper layer's path is the host's: in a container it names nothing here, and says nothing.
    mount.upper =
        upper.filter(|upper| upper.exists()).and_then(|upper| on(&upper)).map(|(mount, _)| mount.kind);
    Some(mount)
}

/// One line: proc_pid_mountinfo(5). With it an overlay's upper folder.
fn parse(line: &str) -> Option<(Mount, Option<PathBuf>)> {
    let (place, kind) = line.split_once(" - ")?;
    let place: Vec<&str> = place.split(' ').collect();
    let mut kind = kind.split(' ');
    let (name, _, superblock) = (kind.next()?, kind.next()?, kind.next().unwrap_or_default());
    let options: Vec<String> =
        place.get(5)?.split(',').chain(superblock.split(',')).map(str::to_owned).collect();
    let upper = options.iter().find_map(|option| option.strip_prefix("upperdir=")).map(PathBuf::from);
    Some((Mount { at: plain(place.get(4)?).into(), kind: name.to_owned(), options, upper: None }, upper))
}

/// Spaces and backslashes stand in octal.
fn plain(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /var/lib\\040x rw - tmpfs tmpfs rw,size=1k
25 22 179:1 / /boot ro - vfat /dev/mmcblk0p1 rw,errors=remount-ro
26 22 0:40 / /run rw - tmpfs tmpfs rw
27 22 0:41 / /over rw - overlay overlay rw,lowerdir=/,upperdir=/nowhere/up
";

    fn check(folder: &str, kind: &str, option: &str) {
        let mount = of(Path::new(folder), LIST).unwrap();
        assert_eq!(mount.kind, kind, "{folder}");
        assert!(mount.options.iter().any(|known| known == option), "{mount:?}");
    }

    #[test]
    fn the_deepest_mount_above_a_folder_is_its_own() {
        check("/var/lib/gridpact", "ext4", "noatime");
        check("/var/lib x/gridpact", "tmpfs", "size=1k");
        check("/boot/gridpact", "vfat", "ro");
        check("/bootstrap", "ext4", "rw");
        assert_eq!(of(Path::new("/over/a"), LIST).unwrap().upper, None);
        assert_eq!(of(Path::new("/a"), "nonsense"), None);
    }
}
