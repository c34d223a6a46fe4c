use std::sync::Arc;

use ::parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use cotrain_learning::data::{Bounds, Columns, Content, DataError, Reading, Table as Read};

use super::{Table, gzipped, numbers};

/// Writes a Parquet file with two columns of classes and numbers, and one of each other type.
pub(super) fn parquet(codec: Codec, dictionary: bool) -> Vec<u8> {
    let schema = "message table {
        REQUIRED BYTE_ARRAY class (UTF8);
        OPTIONAL DOUBLE x;
        REQUIRED INT32 n;
        OPTIONAL INT64 big (INTEGER(64,false));
        REQUIRED BOOLEAN flag;
        OPTIONAL BYTE_ARRAY port (UTF8);
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_dictionary_enabled(dictionary)
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    for group in 0..2 {
        let mut rows = writer.next_row_group().unwrap();
        let text = |it: &str| ByteArray::from(it);
        let mut column = rows.next_column().unwrap().unwrap();
        let classes = ["a", "b", "a"].map(text);
        column
            .typed::<ByteArrayType>()
            .write_batch(&classes, None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let numbers = [0.1, 1e300];
        column
            .typed::<DoubleType>()
            .write_batch(&numbers, Some(&[1, 0, 1]), None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column
            .typed::<Int32Type>()
            .write_batch(&[-1, 0, group], None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column
            .typed::<Int64Type>()
            .write_batch(&[-1, 5, 7], Some(&[1, 1, 1]), None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column
            .typed::<BoolType>()
            .write_batch(&[true, false, true], None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let ports = ["S", "S"].map(text);
        column
            .typed::<ByteArrayType>()
            .write_batch(&ports, Some(&[1, 1, 0]), None)
            .unwrap();
        column.close().unwrap();
        rows.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

#[test]
fn load_reads_parquet_as_it_reads_csv() {
    for codec in [
        Codec::UNCOMPRESSED,
        Codec::SNAPPY,
        Codec::ZSTD(ZstdLevel::default()),
        Codec::GZIP(parquet::basic::GzipLevel::default()),
    ] {
        for dictionary in [false, true] {
            let bytes = parquet(codec, dictionary);
            for (name, bytes) in [("t.parquet", bytes.clone()), ("t.pq.gz", gzipped(&bytes))] {
                let table = Table::new(name, &bytes)
                    .with_test(&bytes)
                    .missing("own x=mean");
                let told = table.told();
                assert!(
                    told.contains("line 3: column `x` has `1e300`"),
                    "{codec}: {told}"
                );
                let table = table.choosing(&[], &["x"]);
                let table = Table {
                    columns: Columns {
                        missing: Vec::new(),
                        ..table.columns.clone()
                    },
                    ..table
                };
                let dataset = table.load().unwrap();
                assert_eq!(
                    dataset.columns,
                    ["n", "big", "flag", "port=S", "port=(missing)"]
                );
                let rows = numbers(&dataset);
                assert_eq!(rows.len(), 6);
                assert_eq!(rows[0], [-1.0, 18_446_744_073_709_551_615.0, 1.0, 1.0, 0.0]);
                assert_eq!(rows[5], [1.0, 7.0, 1.0, 0.0, 1.0]);
            }
        }
    }
}

#[test]
fn load_refuses_parquet_that_is_no_flat_table() {
    let written = |schema: &str| {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().build());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
        let mut rows = writer.next_row_group().unwrap();
        while let Some(mut column) = rows.next_column().unwrap() {
            match column.untyped() {
                parquet::column::writer::ColumnWriter::Int32ColumnWriter(writer) => {
                    writer.write_batch(&[1, 2], None, None).unwrap();
                }
                _ => panic!("another type"),
            }
            column.close().unwrap();
        }
        rows.close().unwrap();
        writer.close().unwrap();
        bytes
    };
    for (schema, wanted) in [
        (
            "message m { REQUIRED INT32 class; REQUIRED group g { REQUIRED INT32 a; REQUIRED INT32 b; } }",
            "the column `g` of `t.parquet` has nested values, expected numbers, truth values or texts; leave it \
             out with --drop",
        ),
        (
            "message m { REQUIRED INT32 class; REQUIRED INT32 day (DATE); }",
            "the column `day` of `t.parquet` has values of the type Date, expected numbers",
        ),
        (
            "message m { REQUIRED INT32 class; REQUIRED INT32 day (TIME(MILLIS,true)); }",
            "the column `day` of `t.parquet` has values of the type Time, expected numbers",
        ),
    ] {
        let table = Table::new("t.parquet", written(schema));
        assert!(table.told().contains(wanted), "{}", table.told());
        let dropped = table.choosing(&[], &["g", "day"]).told();
        assert!(dropped.contains("--drop names the column"), "{dropped}");
    }
    let mut option = Table::new("t.parquet", parquet(Codec::SNAPPY, true));
    option.reading.separator = Some("tab".parse().unwrap());
    assert!(
        option.told().contains("--separator says nothing about"),
        "{}",
        option.told()
    );
    for damaged in [&b"PAR1"[..], b"", b"class,x\n1,2\n"] {
        let told = Table::new("t.parquet", damaged).told();
        assert!(
            told.starts_with("cannot read `t.parquet` as Parquet: it is damaged, or packed by"),
            "{told}"
        );
    }
}

/// Returns bytes in memory, which may become so many.
fn content(bytes: Vec<u8>, max: u64) -> Content {
    Content {
        name: "t.parquet".into(),
        bytes: bytes.into(),
        bounds: Bounds {
            bytes: max,
            numbers: 1_000,
            columns: 10,
        },
    }
}

#[test]
fn table_reads_bytes_as_a_file_and_bounds_what_their_pages_claim() {
    let codecs = [
        Codec::UNCOMPRESSED,
        Codec::SNAPPY,
        Codec::ZSTD(ZstdLevel::default()),
    ];
    let reading = Reading::default();
    for codec in codecs {
        for dictionary in [false, true] {
            let bytes = parquet(codec, dictionary);
            let of = |table: &Read| -> Vec<String> {
                let all = (0..table.len()).flat_map(|row| (0..6).map(move |at| (row, at)));
                all.map(|(row, at)| table.field(row, at).to_owned())
                    .collect()
            };
            let file = Read::of_bytes("t.parquet".as_ref(), bytes.clone(), &reading).unwrap();
            let table = content(bytes.clone(), 10_000).table(&reading).unwrap();
            assert_eq!(of(&table), of(&file), "{codec:?}");
            let bound = 300.min(bytes.len() as u64 - 1);
            let told = content(bytes, bound).table(&reading).err().unwrap();
            assert!(
                matches!(told, DataError::TooLarge { max, .. } if max == bound),
                "{told}"
            );
        }
    }
    // Pages of gzip do not keep their promises.
    let packed = parquet(Codec::GZIP(GzipLevel::default()), false);
    let told = content(packed, 10_000).table(&reading).err().unwrap();
    let source = std::error::Error::source(&told).unwrap().to_string();
    assert!(source.contains("packed by gzip"), "{source}");
}
