/** What was picked or dropped, as the files of one model. */

/** A file with its path within what was picked or dropped. */
export interface PathFile {
  readonly path: string;
  readonly file: File;
}

const MOST_ENTRIES = 5000;
const DEEPEST = 6;

/** Files from a file or folder picker. */
export function fromPicker(list: FileList): PathFile[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** Files and folders from a drop. The transfer must be read at once, before anything is awaited. */
export async function fromDrop(transfer: DataTransfer): Promise<PathFile[]> {
  const entries: FileSystemEntry[] = [];
  const loose: PathFile[] = [];
  for (const item of [...transfer.items].filter(({ kind }) => kind === 'file')) {
    const entry = item.webkitGetAsEntry();
    const file = entry ? null : item.getAsFile();
    if (entry) entries.push(entry);
    else if (file) loose.push({ path: file.name, file });
  }
  const found: PathFile[] = [];
  for (const entry of entries) await walk(entry, 0, found);
  return [...loose, ...found];
}

/**
 * The files of one model among all that came: those of the shallowest folder that holds weights, without hidden ones.
 * Where nothing looks like weights, everything is kept, so that the engine can say what is wrong with it.
 */
export function modelFiles(all: readonly PathFile[]): File[] {
  const visible = all.filter(({ path }) => !path.split('/').some((part) => part.startsWith('.')));
  const weights = visible.filter(({ path }) => /\.(gguf|safetensors)$/i.test(path));
  const folders = weights.map(({ path }) => folderOf(path)).sort((a, b) => depth(a) - depth(b) || a.localeCompare(b));
  const folder = folders[0];
  if (folder === undefined) return visible.map(({ file }) => file);
  return visible.filter(({ path }) => folderOf(path) === folder).map(({ file }) => file);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

function depth(folder: string): number {
  return folder.split('/').length;
}

async function walk(entry: FileSystemEntry, level: number, found: PathFile[]): Promise<void> {
  if (found.length >= MOST_ENTRIES || level > DEEPEST || entry.name.startsWith('.')) return;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => {
      entry.file(resolve, reject);
    });
    found.push({ path: entry.fullPath.replace(/^\//, ''), file });
  } else if (isDirectory(entry)) {
    for (const child of await children(entry)) await walk(child, level + 1, found);
  }
}

/** A reader gives entries in batches; an empty batch ends them. */
async function children(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (batch.length === 0 || all.length > MOST_ENTRIES) return all;
    all.push(...batch);
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isDirectory(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
