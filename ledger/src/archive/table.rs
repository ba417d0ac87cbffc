//! Tables in Parquet, in memory: columns of integers, texts, bytes and lists of integers, by the `parquet` crate's
//! own column writers, without Arrow. Says nothing of what the columns mean.

use bytes::Bytes;
use market::interval::{Interval, UnixSeconds};
use parquet::basic::{Compression, Encoding, PageType};
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReader;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, Type};
use serde_bytes::ByteBuf;
use std::sync::Arc;
use thiserror::Error;
use wire::entry::SignedEnvelope;

/// Columns that hold signed bytes: no bounds of theirs help anyone.
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
        /// Which column, from 0.
        column: usize,
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
        .set_dictionary_enabled(false)
        .set_created_by("gridpact".to_owned());
    for name in SIGNED_COLUMNS {
        properties =
            properties.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None);
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

/// A table read back: every column has a value for each row.
pub(super) struct Table {
    rows: usize,
    columns: Vec<Column>,
}

/// One of its rows.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    place: usize,
}

impl Table {
    /// A table with exactly the columns of `schema`, and at most so many rows. The crate's row iterator panics where
    /// levels are not what they should be; columns are read whole instead, and their levels checked here.
    pub fn read(bytes: Vec<u8>, schema: &str, most: usize) -> Result<Self, TableError> {
        let expected: Type = parse_message_type(schema)?;
        let size = bytes.len();
        let reader = SerializedFileReader::new(Bytes::from(bytes))?;
        let (file, groups) = (reader.metadata().file_metadata(), reader.metadata().num_row_groups());
        if *file.schema() != expected {
            return Err(TableError::Columns { table: expected.name().to_owned() });
        }
        let said = file.num_rows();
        let rows = usize::try_from(said).ok().filter(|rows| *rows <= most && groups == (*rows).min(1));
        let rows = rows.ok_or(TableError::Rows { rows: said, most })?;
        if rows == 0 {
            return Ok(Self { rows, columns: Vec::new() });
        }
        check_chunks(reader.metadata().row_group(0), rows, size)?;
        let group = reader.get_row_group(0)?;
        let columns = (0..group.num_columns()).map(|at| {
            check_pages(group.get_column_page_reader(at)?)?;
            Column::read(group.get_column_reader(at)?, rows)
        });
        Ok(Self { rows, columns: columns.collect::<Result<_, _>>()? })
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows).map(|place| Row { table: self, place })
    }
}

/// Every column lies within a file of so many bytes, and says that it has these rows; the crate asserts the first and
/// believes the second.
fn check_chunks(group: &RowGroupMetaData, rows: usize, size: usize) -> Result<(), ParquetError> {
    let sound = |chunk: &ColumnChunkMetaData| {
        let (start, length) = (chunk.data_page_offset(), chunk.compressed_size());
        let end = start.checked_add(length).and_then(|end| usize::try_from(end).ok());
        let plain = chunk.dictionary_page_offset().is_none() && chunk.index_page_offset().is_none();
        plain && start >= 0 && length >= 0 && end.is_some_and(|end| end <= size) && chunk.num_values() >= 0
    };
    if usize::try_from(group.num_rows()) == Ok(rows) && group.columns().iter().all(sound) {
        return Ok(());
    }
    Err(ParquetError::General("a column that does not lie in the file".to_owned()))
}

/// Every page is as [`write`] writes it. The crate's decoders panic where others are put together wrongly.
fn check_pages(mut pages: Box<dyn PageReader>) -> Result<(), ParquetError> {
    while let Some(page) = pages.get_next_page()? {
        if page.page_type() != PageType::DATA_PAGE || page.encoding() != Encoding::PLAIN {
            return Err(ParquetError::General("a page that is encoded otherwise than plainly".to_owned()));
        }
    }
    Ok(())
}

impl Column {
    fn read(reader: ColumnReader, rows: usize) -> Result<Self, TableError> {
        let uneven = || ParquetError::General("a column without a value for each row".to_owned());
        let lists = |values: Vec<i64>, definition: &[i16], repetition: &[i16]| {
            let sound = definition.iter().all(|level| *level == 1) && definition.len() == values.len();
            let sound = sound && repetition.first() == Some(&0) && repetition.len() == values.len();
            let mut lists: Vec<Vec<i64>> = Vec::new();
            for (value, level) in values.into_iter().zip(repetition) {
                match (level, lists.last_mut()) {
                    (0, _) => lists.push(vec![value]),
                    (1, Some(list)) => list.push(value),
                    _ => return None,
                }
            }
            (sound && lists.len() == rows).then_some(Column::Lists(lists))
        };
        match reader {
            ColumnReader::Int64ColumnReader(mut reader) => {
                let (mut definition, mut repetition, mut values) = (Vec::new(), Vec::new(), Vec::new());
                reader.read_records(rows, Some(&mut definition), Some(&mut repetition), &mut values)?;
                if repetition.is_empty() && values.len() == rows {
                    return Ok(Column::Integers(values));
                }
                Ok(lists(values, &definition, &repetition).ok_or_else(uneven)?)
            }
            ColumnReader::ByteArrayColumnReader(mut reader) => {
                let mut values = Vec::new();
                reader.read_records(rows, None, None, &mut values)?;
                let sound = values.len() == rows;
                Ok(sound.then_some(Column::Bytes(values)).ok_or_else(uneven)?)
            }
            _ => Err(uneven().into()),
        }
    }
}

impl<'a> Row<'a> {
    fn column(self, column: usize) -> Option<&'a Column> {
        self.table.columns.get(column)
    }

    pub fn integer(self, column: usize) -> Result<i64, TableError> {
        match self.column(column) {
            Some(Column::Integers(values)) => Ok(values[self.place]),
            _ => Err(TableError::Value { column, reason: "it holds no integers".to_owned() }),
        }
    }

    pub fn bytes(self, column: usize) -> Result<&'a [u8], TableError> {
        match self.column(column) {
            Some(Column::Bytes(values)) => Ok(values[self.place].data()),
            _ => Err(TableError::Value { column, reason: "it holds no bytes".to_owned() }),
        }
    }

    pub fn text(self, column: usize) -> Result<&'a str, TableError> {
        let text = std::str::from_utf8(self.bytes(column)?);
        text.map_err(|error| TableError::Value { column, reason: error.to_string() })
    }

    pub fn list(self, column: usize) -> Result<&'a [i64], TableError> {
        match self.column(column) {
            Some(Column::Lists(lists)) => Ok(&lists[self.place]),
            _ => Err(TableError::Value { column, reason: "it holds no lists".to_owned() }),
        }
    }

    /// A signed envelope: its topic in one column, its bytes in the next.
    pub fn envelope(self, column: usize) -> Result<SignedEnvelope, TableError> {
        let bytes = ByteBuf::from(self.bytes(column + 1)?);
        Ok(SignedEnvelope { topic: self.text(column)?.to_owned(), bytes })
    }

    /// The interval that the first two columns name, and its length in seconds.
    pub fn interval(self) -> Result<(Interval, i64), TableError> {
        let start_us = self.integer(0)?;
        if start_us % MICROS_PER_SECOND != 0 {
            let reason = format!("{start_us} us is no whole second");
            return Err(TableError::Value { column: 0, reason });
        }
        Ok((Interval(UnixSeconds(start_us / MICROS_PER_SECOND)), self.integer(1)?))
    }
}

/// An interval's start as the first column has it, in microseconds since 1970.
pub(super) fn micros(interval: Interval) -> Result<i64, TableError> {
    let reason = || format!("{interval} is out of bounds");
    let micros = interval.start().0.checked_mul(MICROS_PER_SECOND);
    micros.ok_or_else(|| TableError::Value { column: 0, reason: reason() })
}
