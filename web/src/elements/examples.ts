import type { TextKey } from '../views/text.js';
import { NO_PLACE, type ViewValues } from './view-state.js';
import type { Workspace } from './workspace.js';

/** A prompt that shows something, with the view that shows it. */
export interface Example {
  readonly name: TextKey;
  readonly about: TextKey;
  readonly text: string;
  readonly view: Partial<ViewValues>;
  /** What head to look at, where the prompt has one of the kind. */
  readonly role?: 'induction' | 'first_token' | 'previous_token';
  readonly temperature?: number;
}

export const EXAMPLES: readonly Example[] = [
  {
    name: 'example.induction',
    about: 'example.inductionAbout',
    text: 'red dog blue bird green fish red dog blue bird green',
    view: { picture: 'arcs', mix: 'head' },
    role: 'induction',
  },
  {
    name: 'example.name',
    about: 'example.nameAbout',
    text: 'Once upon a time, there was a little girl named Lily. She loved to play. One day,',
    view: { measure: 'surprisal', tab: 'lens' },
  },
  {
    name: 'example.sink',
    about: 'example.sinkAbout',
    text: 'The sun was warm and the sky was blue. The birds sang in the trees.',
    view: { picture: 'matrix', mix: 'head' },
    role: 'first_token',
  },
  {
    name: 'example.temperature',
    about: 'example.temperatureAbout',
    text: 'The little dog ran to the',
    view: { tab: 'sampler' },
    temperature: 2,
  },
];

/** Shows an example in the page as it is. */
export function showExample(ws: Workspace, { text, view, role, temperature }: Example): void {
  ws.edits.set([]);
  ws.view.set({ picture: 'matrix', mix: 'head', measure: 'none', tab: null, ...NO_PLACE, ...view });
  if (temperature !== undefined) ws.generation.configure({ temperature, topK: 40, topP: 0.95, greedy: false });
  ws.generation.discard();
  void ws.inspection.write(text).then(() => {
    if (role && ws.inspection.text === text) lookAt(ws, text, role);
  });
}

/** Locks the strongest head of a kind once it is known, unless something else has been written meanwhile. */
function lookAt(ws: Workspace, text: string, role: string): void {
  const { version } = ws.inspection;
  const lock = (): boolean => {
    if (ws.inspection.text !== text || ws.inspection.version !== version) return true;
    if (ws.heads.running || ws.heads.stale || !ws.heads.result) return false;
    const label = ws.heads.result.labels.find((one) => one.role === role);
    if (label) ws.inspection.lock({ layer: label.layer, head: label.head });
    return true;
  };
  const leave = ws.heads.subscribe(() => {
    if (lock()) leave();
  });
}
