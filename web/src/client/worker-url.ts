/** Set by the build; changes with every build so that page and worker are never from two of them. */
declare const BUILD_ID: string | undefined;

interface ScriptUrlPolicy {
  createScriptURL(url: string): { toString(): string };
}
interface TrustedTypesLike {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): ScriptUrlPolicy;
}

/** Where the policy is kept: a page's policy list allows each name once, and it may load this module twice. */
const POLICY = Symbol.for('glassbox.trusted-types-policy');
const shared = globalThis as { [POLICY]?: ScriptUrlPolicy | null; trustedTypes?: TrustedTypesLike };

/** @internal The worker's address, blessed by the Trusted Types policy `glassbox` where the page asks for one. */
export function workerUrl(given?: string | URL): string | { toString(): string } {
  const page = (globalThis as { location?: Location }).location?.href;
  const url = given === undefined ? new URL('./worker.js', import.meta.url) : new URL(given, page);
  if (typeof BUILD_ID !== 'undefined') url.searchParams.set('v', BUILD_ID);
  const policy = (shared[POLICY] ??= createPolicy());
  return policy ? policy.createScriptURL(url.href) : url.href;
}

function createPolicy(): ScriptUrlPolicy | null {
  try {
    return shared.trustedTypes?.createPolicy('glassbox', { createScriptURL: ownScript }) ?? null;
  } catch {
    // The embedding page allows no policy of this name; without it plain strings are all there is.
    return null;
  }
}

function ownScript(url: string): string {
  if (new URL(url).origin === globalThis.location.origin) return url;
  throw new TypeError(`${url} is not of this page's origin.`);
}
