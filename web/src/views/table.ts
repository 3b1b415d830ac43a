/** Numbers as rows and columns: what stands behind every picture, and what is written to a file. */

/** A value of a table. Numbers are kept as they are; how they read is the column's matter. */
export type TableValue = string | number;

export interface TableColumn {
  readonly name: string;
  /** How a number of the column reads; in full where left out. */
  readonly show?: (value: number) => string;
}

export interface Table {
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly TableValue[])[];
}

/** A value as it is shown. */
export function shown(value: TableValue | undefined, column: TableColumn | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'number' ? (column?.show ?? String)(value) : value;
}

/**
 * Comma-separated values as RFC 4180 has them, with lines of `about` before them as comments. A text that a spreadsheet
 * would take for a formula gets a quote before it.
 */
export function toCsv({ columns, rows }: Table, about: readonly string[]): string {
  const lines = about.map((line) => `# ${line.replace(/[\r\n]+/g, ' ')}`);
  lines.push(columns.map(({ name }) => csvText(name)).join(','));
  for (const row of rows) lines.push(row.map((value) => (typeof value === 'number' ? String(value) : csvText(value))).join(','));
  return `${lines.join('\r\n')}\r\n`;
}

function csvText(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
