/** A document for components; imported before anything that needs one. */
import { Window } from 'happy-dom';

const window = new Window({ url: 'https://example.test/', width: 1440, height: 900 });
for (const name of Object.getOwnPropertyNames(window)) {
  if (name in globalThis) continue;
  Object.defineProperty(globalThis, name, { get: () => Reflect.get(window, name) as unknown, configurable: true });
}
// Node has its own events; components need the document's.
for (const name of ['Event', 'CustomEvent', 'EventTarget'] as const) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
}

/** Adds a component to the page and waits until it is rendered. */
export async function mount<E extends HTMLElement & { updateComplete: Promise<boolean> }>(tag: string, values: Partial<E>): Promise<E> {
  const element = document.createElement(tag) as E;
  Object.assign(element, values);
  document.body.append(element);
  await element.updateComplete;
  await element.updateComplete;
  return element;
}

/** All text of a component, its shadow root included. */
export function textOf(element: Element): string {
  return (element.shadowRoot?.textContent ?? '').replace(/\s+/g, ' ').trim();
}

/** Every element within a component. */
export function elementsOf(element: Element): Element[] {
  return [...(element.shadowRoot?.querySelectorAll('*') ?? [])];
}
