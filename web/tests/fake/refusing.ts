/** A module whose host cannot open its device, as a GPU that is there and does not answer. */
export class Host {
  constructor(private readonly post: (message: unknown, transfer: ArrayBuffer[]) => void) {}

  handle({ id }: { id: number }): void {
    const error = { code: 'no_gpu', message: 'the device was refused', hint: 'Use the CPU.' };
    this.post({ id, event: { type: 'failed', error } }, []);
  }
}

export default function init(): Promise<void> {
  return Promise.resolve();
}
