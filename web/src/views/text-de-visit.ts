/** German: the first visit, and what is kept for the next one. */
import type { enVisit } from './text-en-visit.js';

export const deVisit: Readonly<Record<keyof typeof enVisit, string>> = {
  'intro.title': 'In dieser Seite läuft ein Sprachmodell',
  'intro.text': 'Es hat den Prompt links gelesen; rechts steht, was nach seiner Rechnung folgt, und dazwischen, wie es darauf kommt. Alles davon ist echt, und alles lässt sich ändern: tippen, zeigen, Heads ausschalten.',
  'intro.tour': 'Führ mich herum, in sechs Schritten',
  'intro.try': 'oder sieh dir an',
  'intro.hide': 'Diese Einführung ausblenden',
  'settings.files': 'Modelldateien',
  'settings.files.keep': 'Kopie für ein Neuladen behalten',
  'settings.files.drop': 'nichts behalten',
  'kept.about': 'Eine Kopie geöffneter Dateien (bis {most}) bleibt in diesem Browser, damit ein Neuladen sie findet. Sie verlässt diesen Rechner nie.',
  'kept.now': 'Jetzt behalten: {name}, {bytes}.',
  'kept.nothing': 'Jetzt ist nichts behalten.',
  'kept.forget': 'Vergessen',
  'kept.large': 'Diese Dateien sind zu groß zum Behalten: Nach einem Neuladen müssen sie wieder geöffnet werden.',
  'kept.space': 'Der Browser hat zu wenig Platz für diese Dateien: Nach einem Neuladen müssen sie wieder geöffnet werden.',
  'kept.refused': 'Dieser Browser behält für diese Seite keine Dateien (ein privates Fenster?): Nach einem Neuladen müssen sie wieder geöffnet werden.',
  'kept.short': 'für ein Neuladen behalten',
  'kept.not': 'nicht behalten: nach einem Neuladen wieder öffnen',
  'sampler.slide': '{name}, Regler',
  'error.original': 'Im Wortlaut der Engine:',
};
