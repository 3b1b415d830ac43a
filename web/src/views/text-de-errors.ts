/**
 * German: what errors mean, by their codes. An error's own words are English and have its particulars, such as names of
 * files and numbers; they are shown beneath these.
 */

type Words = readonly [what: string, hint: string];

const AGAIN = 'Die Datei ist beschädigt oder wurde von einem fehlerhaften Werkzeug geschrieben. Lade sie von ihrer Quelle neu herunter.';
const HARM = 'Die Datei ist beschädigt oder soll Schaden anrichten. Lade sie von einer Quelle neu herunter, der du vertraust.';
const TOGETHER = 'Die Teile gehören nicht zusammen. Lade alle neu herunter, aus derselben Revision.';
const CONVERT = 'Die Datei stammt von einem fehlerhaften oder alten Werkzeug. Wandle das ursprüngliche Modell mit einem aktuellen llama.cpp neu um.';
const FAULT = 'Das ist ein Fehler in Glassbox. Bitte melde ihn mit dem Namen des Modells.';
const OPEN = 'Öffne eine .gguf-Datei oder den Ordner eines Modells mit config.json und seinen .safetensors-Dateien.';
const LINK = 'Heruntergeladen wurde eine Seite, nicht die Datei. Nimm den Download-Link der Datei (…/resolve/main/…); bei manchen Modellen muss erst die Lizenz angenommen werden.';
const EDITOR = 'Sieh mit einem Editor hinein: Es kann eine Fehlermeldung eines Servers sein, die unter dem Namen des Modells gespeichert wurde. Lade es dann neu herunter.';
const CHANGED = 'Die Datei hat sich geändert, während sie offen war, oder der Server gibt keine Teile heraus. Öffne sie noch einmal.';
const UNPACK = 'Entpacke die Datei und öffne, was darin ist.';
const FORMAT = 'Suche das Modell als GGUF oder als safetensors.';
const SMALLER = 'Nimm ein kleineres Modell oder eine kleinere Quantisierung, oder schließe andere Tabs.';
const IDS = 'Öffne das Modell ohne seinen Tokenizer und gib den Prompt als Token-IDs, oder melde das Modell.';
const SHORTER = 'Kürze den Prompt.';
const RELOAD = 'Lade die Seite neu: Ihre Teile können von verschiedenen Versionen sein.';
const STARTING = 'Sie wird mit demselben Modell neu gestartet.';

const FILES: Readonly<Record<string, Words>> = {
  no_files: ['Es wurde keine Datei geöffnet.', OPEN],
  no_weights: ['Unter den geöffneten Dateien sind keine Modellgewichte.', OPEN],
  several_models: ['Es wurde mehr als ein Modell geöffnet.', 'Öffne ein Modell nach dem anderen.'],
  safetensors: ['Die Datei ist eine safetensors-Datei, wo anderes erwartet wurde.', OPEN],
  gguf: ['Die Datei ist eine GGUF-Datei, wo anderes erwartet wurde.', OPEN],
  empty_file: ['Die Datei ist leer.', 'Der Download wurde nicht fertig. Lade sie neu herunter.'],
  lfs_pointer: ['Die Datei ist nur ein Git-LFS-Zeiger, nicht die Datei selbst.', 'Lade die Datei selbst herunter, etwa mit „git lfs pull“ oder über ihre Seite.'],
  html_page: ['Die Datei ist eine Webseite.', LINK],
  pickle: ['Die Datei ist ein Python-Pickle, der beim Lesen Code ausführen kann und darum nicht geöffnet wird.', FORMAT],
  zip_archive: ['Die Datei ist ein ZIP-Archiv.', UNPACK],
  compressed_file: ['Die Datei ist komprimiert.', UNPACK],
  tar_archive: ['Die Datei ist ein tar-Archiv.', UNPACK],
  legacy_ggml: ['Die Datei ist in einem alten GGML-Format von vor GGUF.', CONVERT],
  hdf5_file: ['Die Datei ist eine HDF5-Datei.', FORMAT],
  onnx_model: ['Die Datei ist ein ONNX-Modell.', FORMAT],
  json_file: ['Die Datei ist JSON und enthält keine Gewichte.', EDITOR],
  text_file: ['Die Datei ist Text.', EDITOR],
  zero_bytes: ['Die Datei besteht aus Nullen.', 'Der Download wurde nicht fertig. Lade sie neu herunter.'],
  unknown_format: ['Das Format der Datei ist unbekannt.', OPEN],
  truncated_file: ['Die Datei ist abgeschnitten.', 'Der Download oder das Kopieren wurde nicht fertig. Lade sie neu herunter.'],
  trailing_bytes: ['Die Datei geht nach ihren Daten weiter.', AGAIN],
  file_too_large: ['Die Datei ist größer, als eine solche Datei sein darf.', HARM],
  header_too_large: ['Der Kopf der Datei ist zu groß.', HARM],
  invalid_json: ['Eine JSON-Datei ist ungültig.', 'Die Datei ist beschädigt oder wurde verändert. Lade sie von der Seite des Modells neu herunter.'],
  safetensors_header: ['Der Kopf der safetensors-Datei ist ungültig.', AGAIN],
  duplicate_name: ['Ein Name steht zweimal im Kopf der Datei.', AGAIN],
  duplicate_tensor: ['Derselbe Tensor steht in zwei Dateien.', TOGETHER],
  tensor_overlap: ['Zwei Tensoren überlappen sich.', AGAIN],
  tensor_hole: ['Zwischen zwei Tensoren ist eine Lücke.', AGAIN],
  shape_overflow: ['Die Form eines Tensors ist unmöglich groß.', AGAIN],
  size_mismatch: ['Größe und Form eines Tensors passen nicht zusammen.', AGAIN],
  unsupported_dtype: ['Ein Tensor hat einen Typ, der nicht unterstützt wird.', 'Nimm eine andere Variante des Modells: F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K oder Q4_0 gehen sicher.'],
  unsupported_quantisation: ['Die Gewichte sind auf eine Art quantisiert, die nicht unterstützt wird.', 'Nimm das ursprüngliche Modell in F16 oder BF16, oder ein GGUF davon.'],
  quantisation_scale: ['Die Skalen von 8-Bit-Gleitkommazahlen sind nicht brauchbar.', 'Nimm das ursprüngliche Modell in F16 oder BF16, oder ein GGUF davon.'],
  adapter_alone: ['Das ist ein LoRA-Adapter: Er ändert ein Modell und ist selbst keines.', 'Öffne erst das Modell, zu dem er gehört, und hänge ihn dann an.'],
  no_adapter: ['Unter den geöffneten Dateien ist kein LoRA-Adapter.', 'Wähle einen Ordner mit adapter_config.json und adapter_model.safetensors, oder einen GGUF-Adapter.'],
  adapter_invalid: ['Der Adapter ist ungültig.', 'Seine Dateien sind beschädigt oder von verschiedenen Adaptern. Lade alle neu herunter.'],
  adapter_feature: ['Der Adapter benutzt etwas, das nicht unterstützt wird.', 'Verschmilz ihn mit PEFT (merge_and_unload, save_pretrained) mit seinem Modell und öffne das Ergebnis.'],
  adapter_mismatch: ['Der Adapter passt nicht zu diesem Modell.', 'Öffne das Modell, für das er gemacht ist, oder einen anderen Adapter.'],
  no_such_adapter: ['Diesen Adapter hat das Modell nicht.', 'Sieh noch einmal in die Liste der Adapter.'],
  tensor_missing: ['Ein Tensor, den das Modell braucht, fehlt.', 'Die Datei ist kein ganzes Modell (vielleicht ein Adapter), oder seine Architektur wird nicht unterstützt.'],
  missing_config: ['Neben den Gewichten fehlt config.json.', 'Öffne config.json zusammen mit den Gewichten: den ganzen Ordner.'],
  missing_shard: ['Teile des Modells fehlen.', 'Öffne alle Teile zusammen: den ganzen Ordner.'],
  index_tensor_missing: ['Ein Tensor steht nicht in der Datei, die der Index nennt.', TOGETHER],
  index_path: ['Der Index nennt eine Datei außerhalb des Ordners.', HARM],
  gguf_big_endian: ['Die GGUF-Datei ist für Big-Endian-Maschinen geschrieben.', 'Nimm die Little-Endian-Variante.'],
  gguf_version: ['Diese Version von GGUF wird nicht gelesen.', 'Nimm eine Datei der Version 3, oder wandle das ursprüngliche Modell mit einem aktuellen llama.cpp neu um.'],
  gguf_split: ['Eine Datei gehört nicht zu den anderen Teilen des Modells.', TOGETHER],
  gguf_limit: ['Eine Zahl im Kopf der GGUF-Datei ist zu groß.', HARM],
  gguf_invalid: ['Die GGUF-Datei enthält einen ungültigen Wert.', AGAIN],
  gguf_alignment: ['Die Ausrichtung der GGUF-Datei ist ungültig.', AGAIN],
  gguf_offset: ['Ein Tensor der GGUF-Datei beginnt an der falschen Stelle.', AGAIN],
  metadata_missing: ['In den GGUF-Metadaten fehlt eine Angabe.', CONVERT],
  metadata_type: ['Eine Angabe der GGUF-Metadaten hat den falschen Typ.', CONVERT],
  vocabulary_invalid: ['Das Vokabular der GGUF-Datei ist ungültig.', CONVERT],
  out_of_tensor: ['Es wurde außerhalb eines Tensors gelesen.', FAULT],
  block_length: ['Ein Block hat die falsche Länge.', FAULT],
  source_range: ['Es wurde außerhalb einer Datei gelesen.', CHANGED],
  source_short: ['Beim Lesen kamen weniger Bytes als verlangt.', CHANGED],
  source_failed: ['Die Datei konnte nicht gelesen werden.', 'Öffne sie noch einmal; wurde sie inzwischen verändert oder verschoben?'],
  fetch_failed: ['Die Adresse war nicht erreichbar.', 'Prüfe Adresse und Verbindung; der Server muss auch anderen Seiten das Lesen erlauben (CORS). Oder lade die Datei herunter und lege sie hier ab.'],
  http_status: ['Der Server hat die Datei nicht herausgegeben.', 'Prüfe die Adresse. Ist die Datei nicht öffentlich, dann lade sie herunter und lege sie hier ab.'],
  no_ranges: ['Der Server gibt keine Teile von Dateien heraus, und die Datei ist zu groß, um sie ganz zu halten.', 'Lade die Datei herunter und lege sie hier ab.'],
};

const TEXT: Readonly<Record<string, Words>> = {
  tokenizer_json: ['Das JSON des Tokenizers ist nicht lesbar.', 'Prüfe, ob die Datei eine ganze tokenizer.json ist und keine Webseite oder ein Git-LFS-Zeiger, und lade sie neu herunter.'],
  tokenizer_invalid: ['Der Tokenizer widerspricht sich.', 'Lade den Tokenizer neu herunter, oder wandle das Modell neu um.'],
  tokenizer_unsupported: ['Der Tokenizer benutzt etwas, das nicht unterstützt wird.', IDS],
  text_too_large: ['Der Text oder der Tokenizer ist zu groß.', SHORTER],
  vocabulary_kind: ['Diese Art von Vokabular ist nicht bekannt.', IDS],
  pre_tokenizer: ['Dieser Pre-Tokenizer ist nicht bekannt.', IDS],
  tokenizer_pattern: ['Ein Muster des Tokenizers ist ungültig.', 'Die Tokenizer-Datei ist beschädigt oder nicht dafür gemacht.'],
  tokenizer_backtracking: ['Ein Muster des Tokenizers braucht für diesen Text zu viele Schritte.', 'Kürze die längste Folge gleicher Zeichen, oder teile den Text.'],
  text_unencodable: ['Das Vokabular hat für einen Teil des Textes kein Token.', 'Entferne diese Zeichen, oder gib den Prompt als Token-IDs.'],
  no_such_token: ['Dieses Token gibt es nicht.', 'Nimm IDs, die kleiner sind als das Vokabular.'],
  chat_messages: ['Das Gespräch ist nicht lesbar.', 'Es braucht mindestens eine Nachricht mit Rolle und Inhalt.'],
  no_chat_template: ['Das Modell hat keine solche Chat-Vorlage.', 'Schreib den Prompt von Hand, oder öffne ein Modell, das auf Gespräche trainiert ist.'],
  chat_template: ['Die Chat-Vorlage des Modells funktioniert hier nicht.', 'Prüfe, ob die Nachrichten haben, was die Vorlage liest, oder schreib den Prompt von Hand.'],
  chat_refused: ['Die Chat-Vorlage lehnt diese Nachrichten ab.', 'Ändere Rollen oder Reihenfolge so, wie sie es sagt.'],
  chat_template_limit: ['Die Chat-Vorlage braucht mehr, als eine Vorlage darf.', 'Nimm weniger Nachrichten, oder schreib den Prompt von Hand.'],
  text_encode: ['Der Text lässt sich nicht in Tokens zerlegen.', 'Ändere den Text, oder gib den Prompt als Token-IDs.'],
};

const MODEL: Readonly<Record<string, Words>> = {
  unknown_architecture: ['Diese Architektur ist nicht bekannt.', 'Öffne ein Modell einer bekannten Architektur.'],
  bad_config: ['Die Konfiguration des Modells ist falsch.', 'Hol config.json (oder die GGUF-Datei) neu von dort, woher das Modell kommt.'],
  wrong_shape: ['Ein Tensor hat eine andere Form, als die Konfiguration verlangt.', 'Gewichte und Konfiguration sind von verschiedenen Modellen; öffne Dateien, die zusammengehören.'],
  unexpected_tensors: ['Die Datei enthält Tensoren, die diese Architektur nicht benutzt.', 'Das ist eine Variante, deren Zahlen falsch herauskämen; öffne die einfache Variante des Modells.'],
  quantised_tensor: ['Dieser Tensor darf nicht quantisiert sein.', 'Öffne eine Umwandlung, die ihn in F32 oder F16 lässt.'],
  no_tensors: ['Die Datei enthält ein Vokabular, aber keine Tensoren.', 'Öffne eine Datei mit Gewichten, um ein Modell laufen zu lassen.'],
  unknown_site: ['Diese Stelle gibt es im Modell nicht.', 'Nimm einen Namen von TransformerLens wie blocks.0.attn.hook_pattern.'],
  absent_site: ['Diese Stelle hat dieses Modell nicht.', 'Wähle einen Block, den das Modell hat, und eine Stelle, die seine Blöcke haben.'],
  bad_edit: ['Die Änderung passt nicht an diese Stelle.', 'Berichtige den Head, die Positionen oder die Form der Werte.'],
  token_out_of_range: ['Eine Token-ID liegt außerhalb des Vokabulars.', 'Nimm IDs von 0 bis zur Größe des Vokabulars weniger eins.'],
  context_full: ['Das sind mehr Tokens, als der Kontext des Modells fasst.', 'Kürze den Prompt, oder verlange weniger neue Tokens.'],
  no_tokens: ['Es gibt keine Tokens, über die das Modell laufen könnte.', 'Tippe einen Prompt.'],
  device_read: ['Das Lesen vom Gerät ist fehlgeschlagen.', 'Versuche es noch einmal; schlägt es wieder fehl, nimm die CPU.'],
  no_gpu: ['Es gibt keine brauchbare GPU.', 'Nimm die CPU, oder einen Browser mit eingeschaltetem WebGPU.'],
  gpu_not_built: ['Dieses Modul kennt keine GPU.', 'Nimm die CPU, oder lade das Modul mit GPU.'],
  no_tokenizer: ['Das Modell kam ohne Tokenizer, darum lässt sich Text nicht in Tokens zerlegen.', 'Gib Token-IDs, oder öffne das Modell zusammen mit seiner tokenizer.json.'],
  bad_sampler: ['Eine Einstellung des Samplers ist außerhalb ihres Bereichs.', 'Ändere die Einstellung und versuche es noch einmal.'],
  capture_too_large: ['Die verlangten Werte brauchen mehr Speicher als erlaubt.', 'Kürze den Prompt, oder verlange weniger Arten von Werten oder weniger Schichten.'],
  position_out_of_range: ['Diese Position hat der Prompt nicht.', 'Wähle eine Position des Prompts; gezählt wird ab 0.'],
  no_such_part: ['Diese Schicht, diesen Head oder diesen Teil hat das Modell nicht.', 'Wähle Schicht und Head, die es gibt; gezählt wird ab 0.'],
  no_neurons: ['Diese Schicht ist eine Mischung von Experten und hat keine eigenen Neuronen.', 'Sieh stattdessen die Werte des Routers an (mlp.hook_router_scores).'],
  not_residual: ['Das ist nicht der Residualstrom und lässt sich nicht als Tokens lesen.', 'Nimm resid_pre, resid_mid oder resid_post einer Schicht.'],
  different_lengths: ['Die beiden Prompts haben verschieden viele Tokens.', 'Fasse sie so, dass beide gleich viele Tokens haben.'],
  prompt_too_long: ['Das sind zu viele Tokens für diese Analyse.', SHORTER],
  not_finite: ['Das Modell hat Werte ausgegeben, die keine endlichen Zahlen sind.', 'Die Gewichte enthalten NaN oder unendlich, oder das Gerät rechnet falsch: Versuche die CPU.'],
  'kernel.unsupported_type': ['Für Gewichte dieses Typs gibt es keinen Kernel.', 'Wandle sie in F32, F16, BF16 oder einen GGUF-Typ wie Q8_0 oder Q4_K um.'],
  'kernel.shape': ['Eine Matrix dieser Form ist nicht möglich.', 'Formen und Typen der Datei passen nicht zusammen; lade sie neu herunter oder wandle sie neu um.'],
  'kernel.too_large': ['Eine Matrix ist zu groß für dieses Gerät.', SMALLER],
  'kernel.out_of_memory': ['Der Speicher reicht nicht.', SMALLER],
  'kernel.row_range': ['Zeilen einer Matrix liegen außerhalb von ihr.', FAULT],
  'kernel.chunk_length': ['Ein Stück der Gewichte hat die falsche Länge.', FAULT],
  'kernel.rows_missing': ['Ein Teil der Gewichte fehlt.', 'Die Datei ist vielleicht abgeschnitten; wenn nicht, melde es bitte als Fehler.'],
  'kernel.device': ['Das Gerät ist ausgefallen.', 'Lade die Seite neu, oder nimm die CPU.'],
};

const ENGINE: Readonly<Record<string, Words>> = {
  aborted: ['Angehalten.', 'Starte es noch einmal, um weiterzumachen.'],
  bad_message: ['Eine Nachricht an die Engine war unverständlich.', RELOAD],
  not_started: ['Das Gerät ist noch nicht geöffnet.', 'Starte es zuerst.'],
  no_model: ['Es ist kein Modell geöffnet.', 'Öffne zuerst ein Modell.'],
  busy: ['Das Modell ist beschäftigt.', 'Warte, bis es fertig ist, oder halte es an.'],
  panicked: ['Die Engine hat unerwartet aufgehört.', STARTING],
  engine_load: ['Die Engine konnte nicht geladen werden.', 'Prüfe die Verbindung und ob die Seite ganz kopiert wurde, und lade sie neu.'],
  device_wrong: ['Dieses Gerät rechnet falsch.', 'Nimm die CPU, oder erneuere Browser und Treiber.'],
  worker_died: ['Die Engine hat unerwartet aufgehört.', STARTING],
  worker_load: ['Das Skript der Engine konnte nicht geladen werden.', 'Prüfe, ob die Seite ganz kopiert wurde und über http oder https kommt, und lade sie neu.'],
  stopped: ['Die Engine wurde beendet.', 'Lade die Seite neu.'],
  model_closed: ['Dieses Modell ist geschlossen.', 'Öffne es noch einmal.'],
  version_mismatch: ['Seite und Engine sind von verschiedenen Versionen.', 'Die Seite wurde erneuert, während sie offen war. Lade sie neu.'],
  protocol: ['Die Engine hat etwas Unerwartetes geantwortet.', RELOAD],
  no_such_tensor: ['Diesen Tensor enthält die Aufzeichnung nicht.', 'Nenne ihn in `capture`.'],
  bad_argument: ['Eine Angabe ist ungültig.', 'Berichtige sie und versuche es noch einmal.'],
};

export const deErrors: Readonly<Record<string, Words>> = { ...FILES, ...TEXT, ...MODEL, ...ENGINE };

/** Sentences of the engine that are no errors: why it computes where, and notes on a result. */
export const deSentences: readonly (readonly [english: RegExp, german: string])[] = [
  [/^The CPU was asked for\.$/, 'Die CPU wurde verlangt.'],
  [/^The GPU was asked for\.$/, 'Die GPU wurde verlangt.'],
  [/^The browser has a WebGPU adapter\.$/, 'Der Browser hat einen WebGPU-Adapter.'],
  [/^A software WebGPU adapter is there and was allowed\.$/, 'Ein Software-Adapter für WebGPU ist da und war erlaubt.'],
  [/^The only WebGPU adapter, (.*), is a software one, which is slower than the CPU\.$/, 'Der einzige WebGPU-Adapter, $1, rechnet in Software und ist langsamer als die CPU.'],
  [/^This browser has no WebGPU here\.$/, 'Dieser Browser hat hier kein WebGPU.'],
  [/^WebGPU found no adapter on this machine\.$/, 'WebGPU hat auf diesem Rechner keinen Adapter gefunden.'],
  [/^WebGPU gave no adapter \((.*)\)\.$/, 'WebGPU hat keinen Adapter gegeben ($1).'],
  [/^The GPU could not be opened \((.*)\)\.$/, 'Die GPU ließ sich nicht öffnen ($1).'],
  [/^The engine stopped on the GPU, so it runs on the CPU\.$/, 'Die Engine ist auf der GPU abgebrochen, darum läuft sie auf der CPU.'],
  [/^The GPU, (.*), or its driver computes wrongly: a self-test with known answers failed\. So the model runs on the CPU\.$/, 'Die GPU, $1, oder ihr Treiber rechnet falsch: Ein Selbsttest mit bekannten Antworten ist gescheitert. Darum läuft das Modell auf der CPU.'],
  [/^Measured on this machine: a token should take about (\S+) ms on the GPU, (\S+) ms on the CPU\.$/, 'Auf diesem Rechner gemessen: Ein Token sollte auf der GPU etwa $1 ms dauern, auf der CPU $2 ms.'],
  [/^This model bounds its logits smoothly to (\S+)\. The contributions sum to the logit before that\.$/, 'Dieses Modell begrenzt seine Logits weich auf $1. Die Beiträge ergeben zusammen das Logit davor.'],
];
