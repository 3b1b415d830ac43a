import type { Candidate, Token } from './src/client/index.js';

interface ReadTensor {
  readonly shape: number[];
  readonly data: Float32Array | number[];
}

export function parseSafetensors(buffer: Buffer): { readonly names: string[]; tensor(name: string): ReadTensor };
export function candidates(logits: ReadTensor, label: (id: number) => Token): Candidate[];
export function record(glassbox: string, model: string, text: string, out: string): Promise<void>;
