use std::ffi::OsStr;
use std::io::Cursor;
use std::path::Path;

use exif::{In, Tag};
use png::{BitDepth, ColorType, Transformations};
use thiserror::Error;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Maximum number of bytes of a picture's file: 64 MiB.
pub const MAX_FILE: u64 = 64 << 20;

/// Maximum number of pixels of a picture: 2^25, as of 8,192 × 4,096.
///
/// A PNG of some kilobytes can have any number of pixels. Decoding takes about 10 bytes a pixel.
pub const MAX_PIXELS: u64 = 1 << 25;

/// Reason why a file is no picture that can be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The bytes are those of another format.
    #[error("it is neither a PNG nor a JPEG; convert it to one of them")]
    Format,
    /// The file has too many bytes.
    #[error("it has more than {} MiB; make it smaller", MAX_FILE >> 20)]
    File,
    /// The picture has too many pixels.
    #[error("it has {width}x{height} pixels, more than the {max} that are read; make it smaller")]
    Pixels {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Maximum number of pixels.
        max: u64,
    },
    /// The number of bytes is not that of the pixels.
    #[error(
        "there are {found} bytes for {width}x{height} pixels; expected {wanted}, four a pixel, and at least one pixel"
    )]
    Bytes {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Number of bytes found.
        found: usize,
        /// Expected number of bytes.
        wanted: u64,
    },
    /// The PNG is damaged.
    #[error("it is damaged: {0}; save it again as a PNG")]
    Png(String),
    /// The JPEG is damaged, or of a kind that is not read.
    #[error(
        "it is damaged, or a JPEG of a rare kind: {0}; save it again as a baseline JPEG or a PNG"
    )]
    Jpeg(String),
    /// The JPEG has inks instead of red, green and blue.
    #[error(
        "it is a JPEG of {0} colors, such as cyan, magenta, yellow and black; save it in red, green and blue"
    )]
    Inks(u8),
}

impl From<png::DecodingError> for PictureError {
    fn from(error: png::DecodingError) -> Self {
        Self::Png(crate::text::escaped_to(&error.to_string(), 200).to_string())
    }
}

impl From<DecodeErrors> for PictureError {
    fn from(error: DecodeErrors) -> Self {
        Self::Jpeg(crate::text::escaped_to(&error.to_string(), 200).to_string())
    }
}

/// Returns `true` if a file's name ends as those of PNG and JPEG do: .png, .jpg or .jpeg, in either
/// case.
#[must_use]
pub fn is_named_as_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| {
        let mut known = ["png", "jpg", "jpeg"].into_iter();
        known.any(|it| it.eq_ignore_ascii_case(ending))
    })
}

/// Picture in grey: 0 is black and 255 white.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grey {
    width: u32,
    height: u32,
    /// Grey of each pixel, row by row.
    pixels: Vec<u8>,
}

impl Grey {
    /// Reads a PNG or JPEG of at most `max_pixels` pixels. The first bytes decide between them.
    ///
    /// It turns a JPEG upright as its Exif data says, and shows what is transparent before white.
    /// Color profiles have no effect. Of an animation, it reads the first picture.
    ///
    /// # Errors
    /// [`PictureError`]: if the bytes are of another format or damaged, or there are more pixels.
    pub fn read(bytes: &[u8], max_pixels: u64) -> Result<Self, PictureError> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            of_png(bytes, max_pixels)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            of_jpeg(bytes, max_pixels)
        } else {
            Err(PictureError::Format)
        }
    }

    /// Makes a picture of pixels in red, green, blue and opacity, a byte each, row by row.
    ///
    /// # Errors
    /// [`PictureError::Bytes`] or [`PictureError::Pixels`].
    pub fn of_rgba(width: u32, height: u32, rgba: &[u8]) -> Result<Self, PictureError> {
        check(width, height, MAX_PIXELS)?;
        let wanted = u64::from(width) * u64::from(height) * 4;
        if wanted == 0 || rgba.len() as u64 != wanted {
            return Err(PictureError::Bytes {
                width,
                height,
                found: rgba.len(),
                wanted,
            });
        }
        let pixels = rgba.chunks_exact(4);
        let pixels = pixels.map(|it| luma([it[0], it[1], it[2]], it[3]));
        Ok(Self {
            width,
            height,
            pixels: pixels.collect(),
        })
    }

    /// Returns the width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns the rows of pixels, from the top.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.width as usize)
    }

    /// Returns the picture mirrored at its diagonal: its columns become rows.
    pub(super) fn transposed(&self) -> Self {
        self.clone().upright(5)
    }

    /// Turns the picture upright, by the orientation of its Exif data (Exif 3.0, 4.6.5.1, tag
    /// 0x0112): 1 is upright, 2 to 4 are mirrored or upside down, and 5 to 8 lie on a side.
    fn upright(self, orientation: u32) -> Self {
        if !(2..=8).contains(&orientation) {
            return self;
        }
        let (width, height) = (self.width as usize, self.height as usize);
        let source = |x: usize, y: usize| match orientation {
            2 => (width - 1 - x, y),
            3 => (width - 1 - x, height - 1 - y),
            4 => (x, height - 1 - y),
            5 => (y, x),
            6 => (y, height - 1 - x),
            7 => (width - 1 - y, height - 1 - x),
            _ => (width - 1 - y, x),
        };
        let lies = orientation >= 5;
        let (columns, rows) = if lies {
            (height, width)
        } else {
            (width, height)
        };
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..rows {
            for x in 0..columns {
                let (from_x, from_y) = source(x, y);
                pixels.push(self.pixels[from_y * width + from_x]);
            }
        }
        Self {
            width: if lies { self.height } else { self.width },
            height: if lies { self.width } else { self.height },
            pixels,
        }
    }
}

/// Returns the grey of a color before white: its luma (ITU-R BT.601-7, 2.5.1), in thousandths.
fn luma([red, green, blue]: [u8; 3], opacity: u8) -> u8 {
    let opacity = u32::from(opacity);
    let before_white = |color: u8| (u32::from(color) * opacity + 255 * (255 - opacity) + 127) / 255;
    let [red, green, blue] = [red, green, blue].map(before_white);
    let grey = (299 * red + 587 * green + 114 * blue + 500) / 1000;
    // The weights add up to 1000, so it is at most 255.
    u8::try_from(grey).unwrap_or(u8::MAX)
}

fn check(width: u32, height: u32, max: u64) -> Result<(), PictureError> {
    let (width, height) = (u64::from(width), u64::from(height));
    if width * height > max {
        return Err(PictureError::Pixels { width, height, max });
    }
    Ok(())
}

fn of_png(bytes: &[u8], max_pixels: u64) -> Result<Grey, PictureError> {
    let limits = png::Limits {
        // Of the decoder itself; the buffer for the pixels is ours.
        bytes: 64 << 20,
    };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Palettes become colors, few bits a pixel become 8, and a transparent color an opacity.
    decoder.set_transformations(Transformations::EXPAND);
    let info = decoder.read_header_info()?;
    let (width, height) = (info.width, info.height);
    check(width, height, max_pixels)?;
    let mut reader = decoder.read_info()?;
    // At most 8 bytes a pixel.
    let size = reader.output_buffer_size();
    let size = size.ok_or(png::DecodingError::LimitsExceeded)?;
    let mut buffer = vec![0; size];
    let frame = reader.next_frame(&mut buffer)?;
    if (frame.width, frame.height) != (width, height) {
        return Err(PictureError::Bytes {
            width,
            height,
            found: frame.buffer_size(),
            wanted: size as u64,
        });
    }
    if frame.bit_depth == BitDepth::Sixteen {
        buffer = buffer.chunks_exact(2).map(to_8_bits).collect();
    }
    let channels = frame.color_type.samples();
    let pixel = |it: &[u8]| match frame.color_type {
        ColorType::GrayscaleAlpha => luma([it[0]; 3], it[1]),
        ColorType::Rgb => luma([it[0], it[1], it[2]], 255),
        ColorType::Rgba => luma([it[0], it[1], it[2]], it[3]),
        // A palette is expanded.
        ColorType::Grayscale | ColorType::Indexed => it[0],
    };
    Ok(Grey {
        width,
        height,
        pixels: buffer.chunks_exact(channels).map(pixel).collect(),
    })
}

/// Rounds a number of 16 bits to 8.
fn to_8_bits(number: &[u8]) -> u8 {
    let number = u32::from(number[0]) << 8 | u32::from(number[1]);
    u8::try_from((number * 255 + 32_767) / 65_535).unwrap_or(u8::MAX)
}

fn of_jpeg(bytes: &[u8], max_pixels: u64) -> Result<Grey, PictureError> {
    let sides = usize::from(u16::MAX);
    let options = DecoderOptions::default()
        .set_max_width(sides)
        .set_max_height(sides)
        // Otherwise the rest of a file that was cut off would be grey.
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers()?;
    let Some(info) = decoder.info() else {
        return Err(PictureError::Jpeg("it has no header".to_owned()));
    };
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    check(width, height, max_pixels)?;
    if !matches!(info.components, 1 | 3) {
        return Err(PictureError::Inks(info.components));
    }
    let orientation = decoder.exif().and_then(|it| orientation(it));
    let rgb = decoder.decode()?;
    let pixels: Vec<u8> = rgb
        .chunks_exact(3)
        .map(|it| luma([it[0], it[1], it[2]], 255))
        .collect();
    let wanted = u64::from(width) * u64::from(height);
    if pixels.len() as u64 != wanted {
        return Err(PictureError::Jpeg(format!(
            "it has {} pixels, expected {wanted}",
            pixels.len()
        )));
    }
    let grey = Grey {
        width,
        height,
        pixels,
    };
    Ok(grey.upright(orientation.unwrap_or(1)))
}

/// Returns the orientation in Exif data; `None` if there is none, or the data is damaged.
fn orientation(exif: &[u8]) -> Option<u32> {
    let exif = exif::Reader::new().read_raw(exif.to_vec()).ok()?;
    let field = exif.get_field(Tag::Orientation, In::PRIMARY)?;
    field.value.get_uint(0)
}
