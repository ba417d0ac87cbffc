//! `gridpact provision`: what it makes runs as it is, is made once, and lets in nobody else.

mod attacks;
mod kills;
mod market;
mod peer;
mod rerun;
mod restart;
mod scene;
