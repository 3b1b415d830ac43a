/** A copy of the last model's files, in the browser's own store, so that a reload finds them. It never leaves the machine. */
import { Store } from './store.js';

/** Most bytes that are kept. */
export const MOST_KEPT = 1e9;
const BASE = 'glassbox';
const SHELF = 'files';
const KEY = 'last';

export interface Kept {
  readonly name: string;
  readonly files: readonly File[];
  readonly bytes: number;
  /** SHA-256 of the model, once it is known. */
  readonly fingerprint: string;
}

/** Why there is no copy. */
export type NotKept = 'large' | 'space' | 'refused';

export class KeptFiles extends Store {
  #kept: Kept | null = null;
  #problem: NotKept | null = null;

  /** What is kept; null until `read` or `keep` have ended, and where nothing is. */
  get kept(): Kept | null {
    return this.#kept;
  }
  get problem(): NotKept | null {
    return this.#problem;
  }

  /** What an earlier visit has kept. */
  async read(): Promise<Kept | null> {
    try {
      const found = await onShelf<Kept | undefined>('readonly', (shelf) => shelf.get(KEY) as IDBRequest<Kept | undefined>);
      this.#set(found ?? null, null);
    } catch {
      this.#set(null, 'refused');
    }
    return this.#kept;
  }

  /** Keeps a copy in the place of the one there was. */
  async keep(name: string, files: readonly File[]): Promise<void> {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const problem = bytes > MOST_KEPT ? 'large' : (await free()) < 2 * bytes ? 'space' : null;
    if (problem) {
      await this.forget();
      this.#set(null, problem);
      return;
    }
    await this.#put({ name, files: [...files], bytes, fingerprint: '' });
  }

  /** Notes which model the files are, so that a link that names it finds them. */
  async mark(fingerprint: string): Promise<void> {
    if (this.#kept && this.#kept.fingerprint !== fingerprint) await this.#put({ ...this.#kept, fingerprint });
  }

  async forget(): Promise<void> {
    try {
      await onShelf('readwrite', (shelf) => shelf.clear());
    } catch {
      // Where nothing can be kept, nothing is.
    }
    this.#set(null, null);
  }

  async #put(kept: Kept): Promise<void> {
    try {
      await onShelf('readwrite', (shelf) => shelf.put(kept, KEY));
      this.#set(kept, null);
    } catch {
      this.#set(null, 'refused');
    }
  }

  #set(kept: Kept | null, problem: NotKept | null): void {
    this.#kept = kept;
    this.#problem = problem;
    this.changed();
  }
}

/** Bytes that the browser still gives this site; unknown is enough. */
async function free(): Promise<number> {
  try {
    const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
    return quota - usage;
  } catch {
    return Infinity;
  }
}

/** Does one thing to the store; rejects where the browser has none, as in some private windows. */
async function onShelf<T>(mode: IDBTransactionMode, work: (shelf: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const base = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open(BASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(SHELF);
    opening.onsuccess = () => {
      resolve(opening.result);
    };
    opening.onerror = () => {
      reject(opening.error ?? new Error('no store'));
    };
  });
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = base.transaction(SHELF, mode);
      const request = work(transaction.objectStore(SHELF));
      transaction.oncomplete = () => {
        resolve(request.result);
      };
      transaction.onabort = () => {
        reject(transaction.error ?? new Error('not kept'));
      };
    });
  } finally {
    base.close();
  }
}
