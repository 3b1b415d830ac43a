import { css, html, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, emit, shared, View } from '../views/element.js';
import { t, type TextKey } from '../views/text.js';
import { CHOICES, type SettingName, type Settings, type SettingValues } from './settings.js';
import { Watch } from './store.js';

/** Names of languages, each in itself. */
const OWN_NAMES: Readonly<Record<string, string>> = { en: 'English', de: 'Deutsch' };

/**
 * How the page looks and reads, and what it computes on.
 *
 * @fires gb-check-device - to test and time the device anew
 */
@customElement('gb-settings-menu')
export class SettingsMenu extends View {
  @property({ attribute: false }) settings!: Settings;
  protected readonly watch = new Watch(this, () => [this.settings]);

  static override readonly styles = [
    shared,
    controls,
    css`
      :host {
        display: grid;
        gap: 0.6rem;
      }
      label {
        display: grid;
        grid-template-columns: 7rem minmax(0, 1fr);
        align-items: center;
        gap: 0.75rem;
      }
      p {
        max-width: 34em;
        margin: 0;
        font-size: var(--small);
        color: var(--ink-2);
      }
    `,
  ];

  override render(): TemplateResult {
    return html`${(Object.keys(CHOICES) as SettingName[]).map((name) => this.#setting(name))}
      <p>${t(crossOriginIsolated ? 'settings.threadsAbout' : 'settings.threadsNot')}</p>
      <p>${t('settings.checkedAbout')} <button type="button" @click=${this.#check}>${t('settings.check')}</button></p>`;
  }

  readonly #check = (): void => {
    emit(this, 'gb-check-device', null);
  };

  #setting(name: SettingName): TemplateResult {
    const onChange = (event: Event): void => {
      const { value } = event.target as HTMLSelectElement;
      this.settings.set(name, value as SettingValues[typeof name]);
    };
    const now = this.settings.values[name];
    return html`<label
      >${t(`settings.${name}`)}
      <select @change=${onChange}>
        ${CHOICES[name].map(
          (value) => html`<option value=${value} ?disabled=${value === 'several' && !crossOriginIsolated} .selected=${value === now} lang=${OWN_NAMES[value] ? value : ''}>${nameOf(name, value)}</option>`,
        )}
      </select></label
    >`;
  }
}

function nameOf(name: SettingName, value: string): string {
  return OWN_NAMES[value] ?? t(`settings.${name}.${value}` as TextKey);
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-settings-menu': SettingsMenu;
  }
  interface HTMLElementEventMap {
    'gb-check-device': CustomEvent<null>;
  }
}
