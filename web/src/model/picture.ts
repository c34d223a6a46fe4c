import { levelsOf, type PictureForm } from "../twin/index.ts";

/** Maximum number of pixels of a file, as the coordinator takes them. */
const MAX_PIXELS = 2_097_152;

/**
 * Reads a picture from a file, as levels of grey, row by row.
 *
 * @throws Error with words for people.
 */
export async function readPicture(
  file: Blob,
  form: PictureForm,
): Promise<number[]> {
  const bitmap = await createImageBitmap(file, {
    // The rules take the numbers of the file, and know no color profiles.
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  }).catch(() => {
    throw new Error("the file is no picture that this browser can read");
  });
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) {
      throw new Error(
        `the picture has ${width} by ${height} pixels; expected at most ${MAX_PIXELS} in all`,
      );
    }
    const canvas = new OffscreenCanvas(width, height);
    const drawing = canvas.getContext("2d", { willReadFrequently: true });
    if (!drawing) throw new Error("this browser cannot draw pictures");
    drawing.drawImage(bitmap, 0, 0);
    const { data } = drawing.getImageData(0, 0, width, height);
    return levelsOf(form, { width, height, rgba: data });
  } finally {
    bitmap.close();
  }
}
