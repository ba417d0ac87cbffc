//! `gridpact provision`: what it makes runs as it is, is made once, and lets in nobody else.

mod attacks;
mod checked;
mod kills;
mod market;
mod missed;
mod offline;
mod peer;
mod reached;
mod rerun;
mod restart;
mod scene;
