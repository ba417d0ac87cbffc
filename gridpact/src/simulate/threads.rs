//! The same work for many, shared by threads. Nobody's result depends on who did it or when.

use std::sync::{Mutex, PoisonError};

/// Does `work` for each of `items` on `threads` threads; gives the results in the items' order, or the
/// error of the first item, in that order, that failed.
///
/// # Errors
/// As `work` fails.
pub fn for_each<T: Send, R: Send, E: Send>(
    items: &mut [T],
    threads: usize,
    work: impl Fn(usize, &mut T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let waiting = Mutex::new(items.iter_mut().enumerate());
    let busy = || {
        let mut done = Vec::new();
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((place, item)) = next else { return done };
            done.push((place, work(place, item)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(busy)).collect();
        let mut done = busy();
        for helper in helpers {
            match helper.join() {
                Ok(theirs) => done.extend(theirs),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(threads: usize, fails: &[usize], expected: Result<Vec<usize>, usize>) {
        let mut items: Vec<usize> = (0..10).collect();
        let got = for_each(&mut items, threads, |place, item| {
            *item += 1;
            if fails.contains(&place) {
                Err(place)
            } else {
                Ok(*item)
            }
        });
        assert_eq!(got, expected, "{threads} threads");
    }

    #[test]
    fn results_stand_in_order_whoever_did_them() {
        for threads in [0, 1, 3, 40] {
            check(threads, &[], Ok((1..=10).collect()));
            check(threads, &[7, 4, 9], Err(4));
        }
    }
}
