//! Off the ledger: batches of signed meter readings and bids as Parquet files. The ledger holds a batch's SHA-256 and
//! where it lies; the batch holds what validators need not see. Building and checking one is pure; only
//! [`store`] touches a disk or a network.

pub mod bids;
mod fault;
pub mod location;
pub mod readings;
pub mod store;
mod table;

pub use fault::BatchFault;
pub use table::TableError;
