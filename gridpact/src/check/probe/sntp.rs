//! One question to a time server (SNTP, RFC 4330 section 5).

use crate::clock::wall_ms;
use std::time::Duration;
use tokio::net::UdpSocket;

/// Seconds from 1900, where NTP counts from, to 1970.
const EPOCH_S: u64 = 2_208_988_800;
/// Length of a message without authentication.
const BYTES: usize = 48;
/// Version 4, from a client.
const CLIENT: u8 = (4 << 3) | 3;
/// The mode of a server's answer.
const SERVER: u8 = 4;
const PATIENCE: Duration = Duration::from_secs(3);

/// How far the server's clock is ahead of ours, in milliseconds.
pub async fn ask(server: &str) -> Result<i64, String> {
    let address = if server.contains(':') { server.to_owned() } else { format!("{server}:123") };
    match tokio::time::timeout(PATIENCE, exchange(&address)).await {
        Ok(answer) => answer,
        Err(_) => Err("no answer within 3 s".to_owned()),
    }
}

async fn exchange(address: &str) -> Result<i64, String> {
    let words = |error: std::io::Error| error.to_string();
    let server = tokio::net::lookup_host(address).await.map_err(words)?.next();
    let server = server.ok_or("the name resolves to nothing")?;
    let own = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).await.map_err(words)?;
    socket.connect(server).await.map_err(words)?;
    let sent = wall_ms();
    let mut question = [0u8; BYTES];
    question[0] = CLIENT;
    // Given back in the answer: by it ours is told from others'.
    question[40..48].copy_from_slice(&sent.to_be_bytes());
    socket.send(&question).await.map_err(words)?;
    let mut answer = [0u8; 512];
    loop {
        let length = socket.recv(&mut answer).await.map_err(words)?;
        if let Some(ahead_ms) = offset(&answer[..length], sent, wall_ms())? {
            return Ok(ahead_ms);
        }
    }
}

/// What an answer makes of our clock; nothing where it answers something else.
fn offset(answer: &[u8], sent: u64, received: u64) -> Result<Option<i64>, String> {
    let Some(answer) = answer.first_chunk::<BYTES>() else { return Ok(None) };
    if answer[0] & 7 != SERVER || answer[24..32] != sent.to_be_bytes() {
        return Ok(None);
    }
    if answer[1] == 0 || answer[1] > 15 || answer[0] >> 6 == 3 {
        return Err("it says that it does not know the time itself".to_owned());
    }
    let at = |place: usize| -> Option<i64> {
        let whole = u64::from(u32::from_be_bytes(answer.get(place..place + 4)?.try_into().ok()?));
        let part = u64::from(u32::from_be_bytes(answer.get(place + 4..place + 8)?.try_into().ok()?));
        // Seconds below half of the range are those after 2036 (RFC 4330 section 3).
        let whole = if whole < 1 << 31 { whole + (1 << 32) } else { whole };
        Some((whole.checked_sub(EPOCH_S)? * 1_000 + ((part * 1_000) >> 32)).cast_signed())
    };
    let (Some(heard), Some(said)) = (at(32), at(40)) else { return Ok(None) };
    Ok(Some(((heard - sent.cast_signed()) + (said - received.cast_signed())) / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sent: u64, heard_ms: u64, stratum: u8) -> [u8; BYTES] {
        let mut answer = [0; BYTES];
        answer[0] = (4 << 3) | SERVER;
        answer[1] = stratum;
        answer[24..32].copy_from_slice(&sent.to_be_bytes());
        for place in [32, 40] {
            let whole = (heard_ms / 1_000 + EPOCH_S) as u32;
            let part = ((heard_ms % 1_000) << 32).div_ceil(1_000) as u32;
            answer[place..place + 4].copy_from_slice(&whole.to_be_bytes());
            answer[place + 4..place + 8].copy_from_slice(&part.to_be_bytes());
        }
        answer
    }

    #[test]
    fn half_of_the_way_is_taken_off() {
        let sent = 1_790_000_000_000;
        assert_eq!(offset(&answer(sent, sent + 5_050, 2), sent, sent + 100), Ok(Some(5_000)));
        assert_eq!(offset(&answer(sent, sent - 3_600_000, 1), sent, sent), Ok(Some(-3_600_000)));
        // After 2036 the seconds begin again.
        let late = 2_150_000_000_000;
        assert_eq!(offset(&answer(late, late + 40, 2), late, late), Ok(Some(40)));
    }

    #[test]
    fn what_is_no_answer_to_us_is_none() {
        let sent = 1_790_000_000_000;
        assert_eq!(offset(&answer(sent + 1, sent, 2), sent, sent), Ok(None));
        assert_eq!(offset(&answer(sent, sent, 2)[..47], sent, sent), Ok(None));
        assert!(offset(&answer(sent, sent, 0), sent, sent).is_err());
    }

    #[tokio::test]
    async fn a_server_is_asked_over_a_socket() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let serve = tokio::spawn(async move {
            let mut question = [0; 64];
            let (_, from) = server.recv_from(&mut question).await.unwrap();
            let sent = u64::from_be_bytes(question[40..48].try_into().unwrap());
            server.send_to(&answer(sent, sent + 90_000, 3), from).await.unwrap();
        });
        let ahead = ask(&address).await.unwrap();
        serve.await.unwrap();
        assert!((85_000..=90_000).contains(&ahead), "{ahead}");
    }
}
