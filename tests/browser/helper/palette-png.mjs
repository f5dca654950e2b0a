/** Pictures with few colours as PNG files of a third the size: the frequent colours are kept exactly, rare ones become the nearest of those. */
import { deflateSync } from 'node:zlib';

const COLOURS = 64;
/** A colour this near to a more frequent one (squares of the channels' differences, summed) needs no place of its own. */
const NEAR = 60;

/**
 * The picture with few colours.
 * @param {Uint8Array} rgba
 * @returns {{palette: number[], pixels: Uint8Array}} colours as 0xRRGGBB, and per pixel its place among them
 */
function reduced(rgba) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  const colours = new Uint32Array(rgba.length / 4);
  for (let at = 0; at < colours.length; at += 1) {
    const colour = ((rgba[at * 4] ?? 0) << 16) | ((rgba[at * 4 + 1] ?? 0) << 8) | (rgba[at * 4 + 2] ?? 0);
    colours[at] = colour;
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  /** @type {number[]} */
  const palette = [];
  for (const [colour] of [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])) {
    if (palette.length === COLOURS) break;
    if (palette.length === 0 || nearest(palette, colour).distance > NEAR) palette.push(colour);
  }
  const places = new Map(palette.map((colour, place) => [colour, place]));
  for (const colour of counts.keys()) if (!places.has(colour)) places.set(colour, nearest(palette, colour).place);
  return { palette, pixels: Uint8Array.from(colours, (colour) => places.get(colour) ?? 0) };
}

/** @param {number[]} palette @param {number} colour */
function nearest(palette, colour) {
  const [r, g, b] = [colour >> 16, (colour >> 8) & 255, colour & 255];
  let [place, distance] = [0, Infinity];
  palette.forEach((other, at) => {
    const here = (r - (other >> 16)) ** 2 + (g - ((other >> 8) & 255)) ** 2 + (b - (other & 255)) ** 2;
    if (here < distance) [place, distance] = [at, here];
  });
  return { place, distance };
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** A chunk of a PNG file: length, type, content, check sum. @param {string} type @param {Uint8Array} content */
function chunk(type, content) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(content.length, 0);
  frame.writeUInt32BE((body.reduce((crc, byte) => (CRC[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0, 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/**
 * @param {{width: number, height: number, data: Uint8Array}} picture RGBA
 * @returns {Buffer} a PNG file
 */
export function palettePng({ width, height, data }) {
  const { palette, pixels } = reduced(data);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8); // eight bits per pixel, by palette
  const lines = Buffer.alloc((width + 1) * height); // each after a byte that says: not filtered
  for (let y = 0; y < height; y += 1) lines.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('PLTE', colours), chunk('IDAT', deflateSync(lines, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}
