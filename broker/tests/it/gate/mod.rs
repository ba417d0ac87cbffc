//! The gate, from outside: bytes into a socket, bytes out of it.

mod attacks;
mod conformance;
mod raw;
mod tls;
