import { forgetDevices, type EditSpec, type HeadsReport, type Model, type ModelSource, type Surprisals } from '../client/index.js';
import { currentLanguage } from '../views/environment.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import { Branching } from './branching.js';
import { Edits } from './edits.js';
import { Generation } from './generation.js';
import { History } from './history.js';
import { houseModel, readRecorded, type HouseModel } from './house.js';
import { Inspection } from './inspection.js';
import { KeptFiles } from './kept-files.js';
import { checked, fromFragment, toFragment, type ModelOrigin, type PageState } from './link.js';
import { provenanceOf, type Provenance } from './provenance.js';
import { Session } from './session.js';
import { computing, Settings, type Computing } from './settings.js';
import { Store } from './store.js';
import { NO_PLACE, PLAIN_VIEW, ViewState } from './view-state.js';
import type { DevicePreference } from '../client/index.js';

const REMEMBER_AFTER_MS = 400;
const KEY = 'glassbox.session';
/** Longest prompt whose ids are part of a link. */
const LINKED_IDS = 600;

/** Everything that is on the page, and what was there before. */
export class Workspace extends Store {
  readonly settings = new Settings();
  readonly edits = new Edits();
  readonly view = new ViewState();
  readonly history = new History<PageState>();
  readonly files = new KeptFiles();
  readonly session: Session;
  readonly inspection: Inspection;
  readonly generation: Generation;
  readonly branching: Branching;
  /** How each token of the prompt was expected. */
  readonly expected: Analysis<object, Surprisals>;
  /** What the heads do on this prompt. */
  readonly heads: Analysis<{ thumbnails: number }, HeadsReport>;
  #provenance: Provenance & { readonly of: readonly unknown[] } = { of: [], lines: [], data: {} };
  #origin: ModelOrigin | null = null;
  #fingerprint = '';
  #asks: { readonly hosts: readonly string[]; readonly origin: ModelOrigin & { readonly kind: 'urls' } } | null = null;
  #house: HouseModel | null = null;
  #opensHouse = false;
  #model: Model | undefined;
  /** The state that waits to be remembered. */
  #soon = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Version of the last picture that was remembered. */
  #remembered = -1;
  /** What a link or the last visit left and waits for its model. */
  #pending: PageState | null = null;
  /** The settings that the engine was started by. */
  #computing: Computing;

  constructor(device: DevicePreference, allowSoftware: boolean) {
    super();
    const { values } = this.settings;
    this.#computing = computing(values);
    this.session = new Session(device === 'auto' ? this.#computing : { ...this.#computing, device }, allowSoftware);
    this.inspection = new Inspection(this.session, this.edits);
    this.generation = new Generation(this.session, this.inspection, this.edits);
    this.branching = new Branching(this.session, this.inspection, this.edits);
    this.expected = new Analysis(this.session, (_, signal) => this.model.analysis.surprisal({ ...this.run, signal }));
    this.heads = new Analysis(this.session, ({ thumbnails }, signal) =>
      this.model.analysis.heads({ ...this.run, ...(thumbnails > 0 ? { thumbnails } : {}), signal }),
    );
    this.session.subscribe(() => {
      if (this.session.model !== this.#model) this.#adopt(this.session.model);
    });
    this.settings.subscribe(() => {
      if (this.settings.values.files === 'drop' && this.files.kept) void this.files.forget();
      void this.#compute();
    });
    for (const store of [this.edits, this.view, this.inspection, this.generation, this.branching]) {
      store.subscribe(() => {
        this.#rememberSoon();
      });
    }
  }

  /** Whether the site's own model is being opened for a first look. */
  get opensHouse(): boolean {
    return this.#opensHouse;
  }
  get house(): HouseModel | null {
    return this.#house;
  }
  /** The machines that a link wants model files from, until the reader has answered. */
  get asks(): readonly string[] {
    return this.#asks?.hosts ?? [];
  }
  /** Whether the model is from files of the reader's own. */
  get local(): boolean {
    return this.#origin?.kind === 'files';
  }
  /** Whether a visitor sees what the site itself shows, and not what someone has left or sent. */
  get introduces(): boolean {
    const own = this.#origin?.kind === 'house' || this.inspection.recorded;
    return own && fromFragment(location.hash) === null;
  }
  get fingerprint(): string {
    return this.#fingerprint;
  }
  /** The model that is open; analyses are only wanted while there is one. */
  get model(): Model {
    if (!this.#model) throw new DOMException('No model is open.', 'AbortError');
    return this.#model;
  }
  /** The prompt on the screen with the changes made to the model, as analyses take it. */
  get run(): { readonly tokens: readonly number[]; readonly edits: readonly EditSpec[] } {
    const tokens = this.inspection.picture?.tokens ?? this.inspection.tokens;
    return { tokens: tokens.map(({ id }) => id), edits: this.edits.specs };
  }
  /** Whether there is a picture that analyses can be of. */
  get ready(): boolean {
    return this.#model !== undefined && this.inspection.picture !== undefined && !this.inspection.recorded;
  }
  /** The position that is looked at. */
  get position(): number {
    const last = (this.inspection.picture?.tokens.length ?? 1) - 1;
    return Math.min(this.view.values.position ?? last, last);
  }

  /** Opens what a link, the last visit or the site itself has to show. */
  async begin(empty = false): Promise<void> {
    this.#pending = fromFragment(location.hash) ?? (empty ? null : kept());
    const there = this.#fingerprint !== '' && this.#pending?.model?.fingerprint === this.#fingerprint;
    if (this.#pending && there) {
      this.apply(this.#pending);
      this.#pending = null;
      return;
    }
    this.#house = houseModel(document.baseURI);
    const origin = this.#pending?.model?.origin ?? (this.#house && !empty ? { kind: 'house' as const } : null);
    if (origin?.kind === 'house' && this.#house) {
      // The recorded picture is small, and asked for before the engine, which is not.
      if (!this.#pending && this.#house.recorded !== null) void this.#showRecorded(this.#house.recorded);
      this.#opensHouse = true;
      this.changed();
      await this.openHouse();
      this.#opensHouse = false;
      this.changed();
    } else if (origin?.kind === 'urls') {
      const foreign = origin.urls.filter((url) => new URL(url).origin !== location.origin);
      // A link may come from anyone: no other machine is asked for anything before the reader agrees.
      if (location.hash !== '' && foreign.length > 0) {
        this.#asks = { hosts: [...new Set(foreign.map((url) => new URL(url).host))], origin };
        this.changed();
        await this.session.start();
      } else await this.open({ urls: origin.urls }, this.#pending?.model?.name ?? '', origin);
    } else if (this.#pending?.model) {
      const { name, fingerprint } = this.#pending.model;
      const kept = await this.files.read();
      // Of one's own last visit these are the files; a link must have named them.
      if (kept && (!location.hash || kept.fingerprint === fingerprint) && (await this.open([...kept.files], kept.name, origin ?? { kind: 'files' }))) return;
      await this.session.start();
      this.session.tell(t('notice.dropAgain', { name }), t('notice.dropAgainHint'));
    } else {
      this.changed();
      await this.session.start();
    }
  }

  /** The reader's answer to {@link asks}; where they decline, the site's own model is opened. */
  async answer(agreed: boolean): Promise<void> {
    const asked = this.#asks;
    this.#asks = null;
    this.changed();
    if (asked && agreed) {
      await this.open({ urls: asked.origin.urls }, this.#pending?.model?.name ?? '', asked.origin);
      return;
    }
    this.#pending = null;
    history.replaceState(null, '', location.pathname + location.search);
    await this.openHouse();
  }

  openHouse(): Promise<boolean> {
    const house = this.#house;
    if (!house) return Promise.resolve(false);
    return this.open({ urls: house.files }, house.name, { kind: 'house' });
  }

  async open(source: ModelSource, name: string, origin: ModelOrigin): Promise<boolean> {
    const before = this.#origin;
    this.#origin = origin;
    const opened = await this.session.open(source, name);
    if (!opened && this.#origin === origin) this.#origin = before;
    if (opened && Array.isArray(source) && this.settings.values.files === 'keep') void this.#keepFiles(name, source as readonly File[]);
    return opened;
  }

  /** All that is needed to see the same again. */
  state(): PageState {
    const { inspection, generation, branching, view } = this;
    const ids = inspection.tokens.map(({ id }) => id);
    const { layer, head } = inspection.chosen;
    return {
      model: this.#model && this.#origin ? { name: this.#model.info.name, fingerprint: this.#fingerprint, origin: this.#origin } : null,
      text: inspection.text,
      ids: ids.length <= LINKED_IDS ? ids : [],
      changes: this.edits.list,
      sampler: generation.sampler,
      maxNewTokens: generation.maxNewTokens,
      head: [layer, head],
      locked: inspection.locked !== null,
      view: view.chosen,
      generated: generation.made,
      branches: branching.saved,
      adapters: this.session.linkedAdapters,
    };
  }

  /** Shows what a state says, with the model that is open or the next one. */
  apply(state: PageState): void {
    this.view.set({ ...PLAIN_VIEW, ...state.view });
    this.generation.configure({ ...state.sampler, maxNewTokens: state.maxNewTokens });
    const { text, ids, head, locked } = state;
    const now = this.state();
    if (now.model && JSON.stringify([now.text, now.ids, now.changes]) === JSON.stringify([text, ids, state.changes])) {
      this.inspection.lock({ layer: head[0], head: head[1] });
      if (!locked) this.inspection.lock(null);
      this.generation.restore(state.generated);
      this.branching.restore(state.branches);
      return;
    }
    this.generation.discard();
    this.inspection.restore({ text, ids, head, locked, model: state.model?.name ?? '' }, () => {
      this.edits.set(state.changes);
      this.generation.restore(state.generated);
      this.branching.restore(state.branches);
    });
  }

  undo(): void {
    const state = this.history.undo();
    if (state) this.apply(state);
  }

  redo(): void {
    const state = this.history.redo();
    if (state) this.apply(state);
  }

  /** An address that shows the same to whoever opens it. */
  link(): string {
    return `${location.origin}${location.pathname}#${toFragment(this.state())}`;
  }

  /** What a picture is of, in words and as data. */
  provenance(): Provenance {
    const of = [this.inspection.version, this.#fingerprint, this.edits.list, this.generation.sampler, currentLanguage()];
    if (!of.every((part, i) => part === this.#provenance.of[i])) this.#provenance = { of, ...provenanceOf(this, this.#model?.info.name) };
    return this.#provenance;
  }

  /** Tests and times the device anew, as after an update of its driver. */
  async checkDevice(): Promise<void> {
    forgetDevices();
    this.#pending = this.#model ? this.state() : this.#pending;
    await this.session.restart();
  }

  /** Computes as the settings say, with the picture there was. */
  async #compute(): Promise<void> {
    const before = this.#computing;
    const now = computing(this.settings.values);
    const { device, precision, threads } = now;
    if (device === before.device && precision === before.precision && threads === before.threads) return;
    this.#computing = now;
    this.#pending = this.#model ? this.state() : this.#pending;
    const done = await this.session.compute(now);
    // What cannot be had is not kept for the next visit.
    if (!done && device !== 'auto' && this.#computing.device === device) this.settings.set('device', 'auto');
  }

  async #showRecorded(address: string): Promise<void> {
    try {
      const { text, picture } = await readRecorded(address);
      if (!this.inspection.picture && this.inspection.text === '') this.inspection.showRecorded(text, picture);
    } catch {
      // The live model comes anyway.
    }
  }

  #adopt(model: Model | undefined): void {
    this.#model = model;
    this.#fingerprint = '';
    this.expected.clear();
    this.heads.clear();
    this.history.clear();
    const pending = this.#pending;
    this.#pending = null;
    if (model && pending) {
      this.apply(pending);
      void this.#attach(pending.adapters);
    } else {
      this.edits.set([]);
      this.view.set({ ...NO_PLACE, pins: [], against: null, part: null, neuron: 0 });
    }
    if (model) void this.#readFingerprint(model, pending);
    this.changed();
  }

  async #attach(adapters: PageState['adapters']): Promise<void> {
    for (const { urls, scale } of adapters) await this.session.attach({ urls }, scale);
  }

  async #keepFiles(name: string, files: readonly File[]): Promise<void> {
    const there = this.files.kept?.files;
    if (there?.length === files.length && there.every((file, i) => file === files[i])) return;
    await this.files.keep(this.#model?.info.name ?? name, files);
    if (this.#fingerprint !== '') await this.files.mark(this.#fingerprint);
  }

  async #readFingerprint(model: Model, wanted: PageState | null): Promise<void> {
    try {
      const { fingerprint } = await model.analysis.fingerprint();
      if (this.#model !== model) return;
      this.#fingerprint = fingerprint;
      if (this.#origin?.kind === 'files') void this.files.mark(fingerprint);
      const other = wanted?.model?.fingerprint ?? '';
      if (other !== '' && other !== fingerprint) this.session.tell(t('notice.otherModel'), t('notice.otherModelHint'));
      this.changed();
    } catch (error) {
      this.session.report(error);
    }
  }

  #rememberSoon(): void {
    const { settled, version } = this.inspection;
    // A new picture is a step of its own, however soon the next change follows.
    if (settled && version !== this.#remembered) {
      this.#remembered = version;
      clearTimeout(this.#timer);
      this.#soon = '';
      this.#remember();
      return;
    }
    const state = JSON.stringify(this.state());
    // What changes beside the state, such as an analysis that comes in, puts nothing off.
    if (state === this.#soon) return;
    this.#soon = state;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#soon = '';
      this.#remember();
    }, REMEMBER_AFTER_MS);
  }

  #remember(): void {
    // Half a change is nothing to come back to.
    if (!this.#model || this.inspection.running || this.generation.running || this.branching.busy) return;
    const state = this.state();
    // Adapters are turned back where they are listed.
    this.history.record({ ...state, adapters: [] });
    // What was changed since is what a reload is to find, not what the link said.
    if (this.history.canUndo && location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
    try {
      localStorage.setItem(KEY, JSON.stringify(state));
    } catch {
      // Without storage a reload begins anew.
    }
  }
}

/** What the last visit left. */
function kept(): PageState | null {
  try {
    return checked(JSON.parse(localStorage.getItem(KEY) ?? 'null'));
  } catch {
    return null;
  }
}
