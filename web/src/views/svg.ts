/** Pictures as SVG text, for files. */

/** A picture on its own: its size in CSS pixels and its elements as text. */
export interface SvgPicture {
  readonly width: number;
  readonly height: number;
  readonly body: string;
}

const CAPTION_LINE = 15;
const FONT = 'ui-sans-serif, system-ui, sans-serif';

/** Text as character data: nothing in it is markup, and what XML does not allow is left out. */
export function escapeXml(text: string): string {
  // XML 1.0 has no way to write these characters, not even as references.
  const allowed = text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
  return allowed.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

export function rect(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}" fill="${fill}"/>`;
}

/** A picture made of pixels, by its `data:` address. */
export function image(x: number, y: number, width: number, height: number, address: string): string {
  return `<image x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}" href="${escapeXml(address)}"/>`;
}

export interface TextStyle {
  readonly fill?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly size?: number;
  readonly mono?: boolean;
  /** Degrees, about the text's own place. */
  readonly turn?: number;
}

export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { fill = '#15181e', anchor = 'start', size = 11, mono = false, turn = 0 } = style;
  const turned = turn === 0 ? '' : ` transform="rotate(${turn} ${short(x)} ${short(y)})"`;
  const font = mono ? ' font-family="ui-monospace, monospace"' : '';
  return `<text x="${short(x)}" y="${short(y)}" fill="${fill}" text-anchor="${anchor}" dominant-baseline="central" font-size="${size}"${font}${turned}>${escapeXml(content)}</text>`;
}

/** A whole SVG file: the picture on its ground, and beneath it what it is of. */
export function svgFile({ width, height, body }: SvgPicture, caption: readonly string[], ground: string, ink: string): string {
  const wide = Math.max(width, 320);
  const lines = caption.flatMap((line) => wrap(line, Math.floor(wide / 5.6)));
  const tall = height + lines.length * CAPTION_LINE + 16;
  const captions = lines.map((line, i) => text(4, height + 14 + i * CAPTION_LINE, line, { fill: ink, size: 10 })).join('');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${short(wide)}" height="${short(tall)}" viewBox="0 0 ${short(wide)} ${short(tall)}" font-family="${FONT}">` +
    `${rect(0, 0, wide, tall, ground)}${body}${captions}</svg>`
  );
}

function wrap(line: string, length: number): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > length) {
    const space = rest.lastIndexOf(' ', length);
    const at = space > length / 2 ? space : length;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  return [...lines, rest];
}

/** Two decimals at most: a hundredth of a pixel is enough. */
function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** What shapes are drawn with, as attributes a file keeps. */
const STYLES = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-size', 'font-family', 'text-anchor'];

/** A drawing of the page as text: what its style sheets say becomes part of it. */
export function fromElement(svg: SVGSVGElement): SvgPicture {
  const { width, height } = svg.viewBox.baseVal;
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const from = svg.querySelectorAll('*');
  copy.querySelectorAll('*').forEach((element, index) => {
    const source = from[index];
    if (!source) return;
    const style = getComputedStyle(source);
    for (const name of STYLES) {
      const value = style.getPropertyValue(name);
      if (value !== '') element.setAttribute(name, value);
    }
    element.removeAttribute('class');
  });
  const body = [...copy.children].map((child) => new XMLSerializer().serializeToString(child)).join('');
  // Lit marks its places with comments.
  return { width, height, body: body.replace(/<!--[\s\S]*?-->/g, '') };
}
