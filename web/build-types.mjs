// One declaration file for the client, so that glassbox.js can be used with types from any static host.
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import ts from 'typescript';

const OPTIONS = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
  types: [],
  strict: true,
  declaration: true,
  emitDeclarationOnly: true,
  stripInternal: true,
};

/**
 * Emits the declarations of `entry` and of what it imports, and joins them: names are unique within the client, so the
 * modules can share one scope, in which only what `entry` exports is exported.
 */
export async function bundleTypes(entry, outFile) {
  const program = ts.createProgram([entry], OPTIONS);
  const source = dirname(entry);
  const emitted = new Map();
  program.emit(undefined, (name, text) => emitted.set(name, text), undefined, true);
  const order = program.getSourceFiles().map((file) => file.fileName);
  const modules = order.filter((name) => name.startsWith(source) && name !== entry);
  const parts = modules.map((name) => inner(emitted.get(name.replace(/\.ts$/, '.d.ts'))));
  const text = [header(entry), ...parts, `export { ${exportedNames(program, entry).join(', ')} };`].join('\n\n');
  await writeFile(outFile, `${text}\n`);
  verify(outFile);
}

/** A module's declarations without its imports and exports. */
function inner(text) {
  const file = ts.createSourceFile('m.d.ts', text, ts.ScriptTarget.ES2022, true);
  return file.statements
    .filter((node) => !ts.isImportDeclaration(node) && !ts.isExportDeclaration(node))
    .map((node) => node.getFullText().trim().replace(/^export (declare )?(?=(type|interface|class|const|function))/m, 'declare '))
    .join('\n\n')
    .trim();
}

function exportedNames(program, entry) {
  const checker = program.getTypeChecker();
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(entry));
  return checker
    .getExportsOfModule(symbol)
    .map((exported) => exported.name)
    .sort();
}

function header(entry) {
  return /^\/\*\*[\s\S]*?\*\//.exec(readFileSync(entry, 'utf8'))?.[0] ?? '';
}

function verify(outFile) {
  const program = ts.createProgram([outFile], { ...OPTIONS, declaration: false, emitDeclarationOnly: false, noEmit: true });
  const problems = ts.getPreEmitDiagnostics(program);
  if (problems.length === 0) return;
  const text = ts.formatDiagnostics(problems, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => '.',
    getNewLine: () => '\n',
  });
  throw new Error(`The declarations of the client do not stand alone:\n${text}`);
}
