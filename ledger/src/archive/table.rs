//! Tables in Parquet, in memory: columns of integers, texts, bytes and lists of integers, by the `parquet` crate's
//! own column writers, without Arrow. Says nothing of what the columns mean.

use bytes::Bytes;
use market::interval::{Interval, UnixSeconds};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::{Row, RowAccessor};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, Type};
use serde_bytes::ByteBuf;
use std::sync::Arc;
use thiserror::Error;
use wire::entry::SignedEnvelope;

/// Columns that hold signed bytes: nothing repeats in them, and no bounds of theirs help anyone.
const SIGNED_COLUMNS: [&str; 3] = ["envelope", "bid_salt", "bid_hash"];

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Why bytes are no table, or rows make none.
#[derive(Debug, Error)]
pub enum TableError {
    /// The Parquet library refused.
    #[error("the batch's Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// Other columns than such a table has.
    #[error("the batch's columns are not those of {table}")]
    Columns {
        /// The table's name.
        table: String,
    },
    /// More rows than such a table may have.
    #[error("the batch has {rows} rows, not 0 to {most}")]
    Rows {
        /// How many it says it has.
        rows: i64,
        /// The most.
        most: usize,
    },
    /// A value the column can't have.
    #[error("the batch's column {column}: {reason}")]
    Value {
        /// Which column.
        column: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// One column's values, one for each row.
pub(super) enum Column {
    /// `int64`.
    Integers(Vec<i64>),
    /// `binary`.
    Bytes(Vec<ByteArray>),
    /// A `LIST` of `int64`, no list of which is empty.
    Lists(Vec<Vec<i64>>),
}

impl Column {
    pub fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        Self::Bytes(texts.map(ByteArray::from).collect())
    }

    pub fn bytes<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        Self::Bytes(values.map(|value| ByteArray::from(value.to_vec())).collect())
    }

    fn write(&self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        match (self, writer) {
            (Column::Integers(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(values, None, None)?;
            }
            (Column::Bytes(values), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(values, None, None)?;
            }
            (Column::Lists(lists), ColumnWriter::Int64ColumnWriter(writer)) => {
                let values: Vec<i64> = lists.iter().flatten().copied().collect();
                let begins = lists.iter().flat_map(|list| (0..list.len()).map(|place| i16::from(place > 0)));
                let repetition: Vec<i16> = begins.collect();
                writer.write_batch(&values, Some(&vec![1; values.len()]), Some(&repetition))?;
            }
            _ => return Err(ParquetError::General("a column of another type than its schema's".to_owned())),
        }
        Ok(())
    }
}

/// The bytes of a table of so many rows, its columns in the order of `schema`.
pub(super) fn write(schema: &str, rows: usize, columns: &[Column]) -> Result<Vec<u8>, TableError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("gridpact".to_owned());
    for name in SIGNED_COLUMNS {
        let path = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    let schema = Arc::new(parse_message_type(schema)?);
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties.build()))?;
    if rows > 0 {
        let mut group = file.next_row_group()?;
        for column in columns {
            let missing = || ParquetError::General("more columns than its schema's".to_owned());
            let mut writer = group.next_column()?.ok_or_else(missing)?;
            column.write(writer.untyped())?;
            writer.close()?;
        }
        group.close()?;
    }
    file.close()?;
    Ok(bytes)
}

/// The rows of a table with exactly the columns of `schema`.
pub(super) fn read(bytes: Vec<u8>, schema: &str, most: usize) -> Result<Vec<Row>, TableError> {
    let expected: Type = parse_message_type(schema)?;
    let reader = SerializedFileReader::new(Bytes::from(bytes))?;
    let file = reader.metadata().file_metadata();
    if *file.schema() != expected {
        return Err(TableError::Columns { table: expected.name().to_owned() });
    }
    let rows = file.num_rows();
    if usize::try_from(rows).is_ok_and(|rows| rows <= most) {
        let mut read = Vec::new();
        for row in reader.get_row_iter(None)? {
            read.push(row?);
            if read.len() > most {
                return Err(TableError::Rows { rows, most });
            }
        }
        return Ok(read);
    }
    Err(TableError::Rows { rows, most })
}

/// A list of integers in a row.
pub(super) fn list(row: &Row, column: usize) -> Result<Vec<i64>, TableError> {
    use parquet::record::ListAccessor;
    let list = row.get_list(column)?;
    let values: Result<Vec<i64>, ParquetError> = (0..list.len()).map(|place| list.get_long(place)).collect();
    Ok(values?)
}

/// A signed envelope in a row: its topic in one column, its bytes in the next.
pub(super) fn envelope(row: &Row, column: usize) -> Result<SignedEnvelope, TableError> {
    let bytes = row.get_bytes(column + 1)?.data().to_vec();
    Ok(SignedEnvelope { topic: row.get_string(column)?.clone(), bytes: ByteBuf::from(bytes) })
}

/// An interval's start as the first column has it, in microseconds since 1970.
pub(super) fn micros(interval: Interval) -> Result<i64, TableError> {
    let reason = || format!("{interval} is out of bounds");
    let micros = interval.start().0.checked_mul(MICROS_PER_SECOND);
    micros.ok_or_else(|| TableError::Value { column: "interval_start", reason: reason() })
}

/// The interval that a row's first two columns name, and its length in seconds.
pub(super) fn interval(row: &Row) -> Result<(Interval, i64), TableError> {
    let start_us = row.get_timestamp_micros(0)?;
    if start_us % MICROS_PER_SECOND != 0 {
        let reason = format!("{start_us} us is no whole second");
        return Err(TableError::Value { column: "interval_start", reason });
    }
    Ok((Interval(UnixSeconds(start_us / MICROS_PER_SECOND)), row.get_long(1)?))
}
