//! Which process listens on a port, by `/proc`: one's own processes, or with root's rights all of them.

use crate::check::facts::Owner;
use std::net::SocketAddr;
use std::path::Path;

/// State of a socket that listens, in `/proc/net/tcp` (proc_pid_net(5)).
const LISTENS: &str = "0A";

/// The process that listens at an address, where it can be seen.
pub fn of(address: SocketAddr) -> Option<Owner> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let sockets: Vec<String> = tables
        .iter()
        .flat_map(|table| inodes(table, address.port()))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let number = |name: std::ffi::OsString| name.to_str()?.parse::<u32>().ok();
    processes.filter_map(|entry| number(entry.file_name())).find(|process| has(*process, &sockets)).map(
        |process| {
            let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            Owner { process, name: name.trim().to_owned() }
        },
    )
}

fn has(process: u32, sockets: &[String]) -> bool {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().filter_map(Result::ok);
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|target: std::path::PathBuf| sockets.iter().any(|socket| Path::new(socket) == target))
}

/// Inodes of the sockets that listen on a port.
fn inodes(table: &str, port: u16) -> Vec<u64> {
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = words.get(1)?.rsplit_once(':')?;
        let listens = *words.get(3)? == LISTENS && u16::from_str_radix(local, 16).ok()? == port;
        listens.then(|| words.get(9)?.parse().ok()).flatten()
    };
    table.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = of(listener.local_addr().unwrap()).unwrap();
        assert_eq!(owner.process, std::process::id());
        assert!(!owner.name.is_empty());
    }

    #[test]
    fn only_sockets_that_listen_count() {
        let table = "  sl  local_address rem_address   st ...\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 4242 1 0\n\
            1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000  0 4343 1 0\n";
        assert_eq!(inodes(table, 8_080), [4_242]);
        assert_eq!(inodes(table, 8_081), Vec::<u64>::new());
    }
}
