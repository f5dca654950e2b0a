/**
 * The shapes that pass between artefact, scorer, worker and page. Types only: nothing here runs.
 *
 * Three layers, each naming what it promises:
 *  - `Artefact*`: the files of an exported artefact folder, as the trainer writes them;
 *  - `Engine*`, `Scorer`, `Raw*`: the faces of the wasm modules (`curec-web.js`, `curec-web-gpu.js`), which the worker alone touches;
 *  - the message protocol between worker and page, in which texts are already attached to what they explain.
 *
 * @typedef {{kind: string, value: string}} Attribute
 *
 * @typedef {object} CatalogueItem
 * @property {string} key
 * @property {string} title
 * @property {Attribute[]} attributes
 * @property {number} count interactions with this item in the training part of the log
 *
 * @typedef {object} ArtefactUser
 * @property {string} key
 * @property {{item: number, time: number}[]} history oldest first
 * @property {number|null} held_out index of the item really taken next, never seen in training
 * @property {string|null} pattern what the language model wrote about this user
 *
 * @typedef {{text: string, user: number|null, time: number|null}} ArtefactReason
 *
 * @typedef {{name: string, bytes: number, sha256: string, role: string}} ArtefactFile
 *
 * @typedef {object} Manifest
 * @property {string} format
 * @property {number} version
 * @property {string} created_by
 * @property {{name: string, users: number, items: number, interactions: number, split: string}} dataset
 * @property {{seed: number, hash: string, config_hash: string}} run
 * @property {ArtefactFile[]} files
 * @property {{reward?: {use_reasons?: boolean, use_patterns?: boolean, max_history?: number}}} model configuration of the ranking model; what else it holds is the scorer's
 *
 * @typedef {number | {value: number, low?: number, high?: number}} Metric
 * @typedef {{name: string, description?: string, metrics: Record<string, Metric>}} ModelResult
 * @typedef {{metric: string, left: string, right: string, difference: {value: number, low: number, high: number}}} Difference paired over viewers
 * @typedef {{protocol: Record<string, unknown>, models: ModelResult[], differences?: Difference[], notes: string[]}} Results
 *
 * @typedef {{item: number, key: string, title: string, attributes: Attribute[]}} PreviewItem
 * @typedef {{item: PreviewItem, score: number, reason: string|null, carried_by: string[]}} PreviewRow
 * @typedef {{user: number, key: string, pattern: string|null, history: PreviewItem[], recommendations: PreviewRow[]}} Preview one viewer's list as it was scored at export
 *
 * @typedef {'auto'|'cpu'|'webgpu'} BackendChoice
 * @typedef {object} Backend where scores are computed, and why
 * @property {'cpu'|'webgpu'} used
 * @property {string|null} adapter
 * @property {string} reason a sentence
 * @property {number} [difference] largest one between a score of the GPU and of the CPU, once both have scored the first viewer
 * @property {string|null} [hindrance] why WebGPU cannot be used here, as the end of a sentence; null where it can; absent where nobody has looked
 *
 * @typedef {{item: number, position: number|null}} Taken `position`: where it stands in the stored viewer's history; null for a title that was added
 * @typedef {{item: number, reason: number}} Muted
 *
 * @typedef {object} Taste a question to the scorer: whose list
 * @property {number|null} viewer the stored viewer whose history `position` counts
 * @property {Taken[]} history oldest first
 * @property {number|null} pattern the stored viewer whose pattern is read; null is none
 * @property {WrittenPattern|null} [written] a pattern of one's own, read in place of a stored one
 * @property {Muted[]} muted reasons that do not count
 *
 * @typedef {{text: string, seed: number, unheld: number, of: string, vector: number[]}} WrittenPattern what the language model wrote here and now; `of`: the history it was written of, `vector`: what the ranking model reads of it
 * @typedef {Omit<Taste, 'written'> & {written?: number[]}} RawTaste as the wasm modules take it
 *
 * @typedef {{index: number, weight: number, heads: number[]}} RawReason `heads`: attention of each head, of which `weight` is the mean
 * @typedef {{position: number, item: number, weight: number}} HistoryWeight `position` counts in the taste's history
 * @typedef {{item: number, rank: number, score: number}} Placed
 * @typedef {{rank: number, score: number}} Was
 * @typedef {Placed & {reasons: RawReason[], history: HistoryWeight[]}} RawRecommendation reason weights sum to 1, magnitudes of history weights too
 *
 * @typedef {object} RawRanking what the scorer answers
 * @property {number|null} user
 * @property {number} milliseconds that scoring took
 * @property {boolean} fresh whether it was scored for this question, and not kept from an earlier one
 * @property {number} scored how many items got a score: the whole catalogue
 * @property {Placed|null} held_out its rank is the one among the items this user has not taken before
 * @property {RawRecommendation[]} recommendations
 * @property {(Was|null)[]} [before] per recommendation what it was for the taste it is compared with; null where it had been taken
 *
 * @typedef {'identities'|'pattern'|'reasons'|'history'|{reason: number}|{event: number}} Part of what the model reads; an event is a place in the taste's history
 * @typedef {{part: Part, adds: number, rank_without: number|null}} Share `adds`: logits; of the title alone what it has without all else, of the others the mean over all orders in which they could come (Shapley)
 * @typedef {{part: Part, logit: number, score: number, rank: number|null}} Absence
 *
 * @typedef {object} Probe one item's score taken apart
 * @property {number} item
 * @property {number} logit
 * @property {number} score
 * @property {number} rank
 * @property {Share[]} shares of the title alone, the pattern, the reasons, the history; they sum to the logit
 * @property {Absence[]} without the score with one part less
 *
 * @typedef {{event: number, item: number, adds: number}} Carrier what a title's score, before the sigmoid, loses where an average title stands in an event’s place, a place in the taste's history
 *
 * @typedef {object} Counterfactual
 * @property {number} first
 * @property {number[]} removed places in the taste's history without which `then` is first; empty where nothing was found
 * @property {number|null} then
 * @property {number} limit
 * @property {number} tried
 *
 * @typedef {{viewer: number, similarity: number, shared: number[]}} Nearest
 *
 * @typedef {object} CatalogueScorer what both scorers can do
 * @property {(taste: RawTaste, count: number, before: RawTaste|null) => Promise<RawRanking>} recommend
 * @property {(taste: RawTaste) => Promise<Float32Array>} scores
 * @property {(taste: RawTaste) => Promise<number>} measure milliseconds of one scoring, whatever is kept
 *
 * @typedef {object} CpuQuestions what only the CPU's is asked
 * @property {(viewer: number) => Promise<RawTaste>} taste
 * @property {(taste: RawTaste, item: number) => Promise<Probe>} probe
 * @property {(taste: RawTaste, items: Uint32Array) => Promise<Carrier[][]>} carriers
 * @property {(taste: RawTaste, limit: number) => Promise<Counterfactual|null>} counterfactual
 * @property {(items: Uint32Array) => Promise<Nearest|null>} nearest
 *
 * @typedef {object} InParts how several CPU scorers of one artefact score a catalogue together
 * @property {() => number} items how many there are
 * @property {(taste: RawTaste) => Promise<boolean>} knows whether the next list for this taste needs no scoring
 * @property {(taste: RawTaste, first: number, end: number, anew: boolean) => Promise<Float32Array<ArrayBuffer>>} part scores of some items; `anew`: the first part of a scoring
 * @property {(taste: RawTaste, parts: Float32Array[], since: number, keep: boolean) => Promise<number>} join all parts, kept for the next list if that is wanted; milliseconds since then
 *
 * @typedef {CatalogueScorer & CpuQuestions & InParts} Scorer
 *
 * @typedef {{place: number, first: number, end: number}} Slice items of the catalogue; `place`: which part that is
 * @typedef {{type: 'load', hashes: import('./hashes.js').Hashes, manifestText: string, files: Map<string, Uint8Array>, again: boolean} | {type: 'score', scoring: number, taste: RawTaste, parts: Slice[]} | {type: 'enough', scoring: number}} ToHelper
 * @typedef {{type: 'ready', memory: number} | {type: 'part', scoring: number, place: number, part: Float32Array<ArrayBuffer>, memory: number} | {type: 'gone'}} FromHelper
 *
 * @typedef {object} Team how many workers score a catalogue on the CPU, and why
 * @property {number} workers
 * @property {number|null} alone milliseconds of one worker
 * @property {number|null} together milliseconds with its helpers
 * @property {'unmeasured'|'one core'|'fast alone'|'no helper'|'pays'|'does not pay'|'lost'} why
 *
 * @typedef {{default: (source?: {module_or_path: Response | URL | string}) => Promise<{memory: WebAssembly.Memory}>}} Module an ES module that wasm-bindgen generates; once started it answers what it exports
 * @typedef {Module & {Scorer: {load(manifest: string, files: Map<string, Uint8Array>): Promise<Scorer>}, comparison(manifest: string, files: Map<string, Uint8Array>): Promise<Comparison>}} Engine
 * @typedef {{text: string, attempt: number, written: {text: string, flaws: number, unheld: number, attempts: number, tokens: number, vector?: number[]}|null}} Standing where a text stands that is being written
 * @typedef {{advance(): Promise<Standing>}} Draft
 * @typedef {{pattern(history: Uint32Array, seed: number): Promise<Draft>, reason(pattern: string|null, item: number, others: string[], seed: number): Promise<Draft>}} Writer
 * @typedef {Module & {Writer: {load(manifest: string, files: Map<string, Uint8Array>): Promise<Writer>}}} WriterEngine
 *
 * @typedef {{items: number[], held_out_rank: number|null}} VariantList
 * @typedef {{name: string, what: string, lists: VariantList[]}} Variant another model of the run, with a list for each stored viewer
 * @typedef {{variants: Variant[], before: {reasons: (string|null)[][], patterns: (string|null)[]}|null}} Comparison `before`: texts before the correction, null where nothing has changed
 * @typedef {{variants: {name: string, what: string, list: VariantList}[], patternBefore: string|null, reasonsBefore: Record<number, (string|null)[]>, corrected: boolean}} Compared the same for one viewer and some titles
 * @typedef {Module & {GpuScorer: {load(manifest: string, files: Map<string, Uint8Array>): Promise<CatalogueScorer>}}} GpuEngine
 *
 * @typedef {object} Reason a reason with its words, ready to show
 * @property {number} index place on the title's list
 * @property {number} weight share of the attention this reason got
 * @property {number[]} heads the same of each attention head
 * @property {string} text
 * @property {string|null} viewer key of the viewer in whose name it was written
 * @property {number|null} time
 *
 * @typedef {Placed & {reasons: Reason[], history: HistoryWeight[], before?: Was|null}} Recommendation `before`: see RawRanking
 * @typedef {Omit<RawRanking, 'recommendations'|'before'> & {recommendations: Recommendation[], used: Backend['used']}} Ranking `used`: what scored it
 *
 * @typedef {object} LoadTimes milliseconds by the worker's clock
 * @property {number} download engine and artefact, each until its last byte
 * @property {number} compile of the engine, after its last byte: most of it is compiled while it arrives
 * @property {number} check every byte checked, the artefact read
 * @property {number|null} gpu looking for an adapter and, where there is one worth it, starting its scorer and comparing; null where the CPU was asked for
 * @property {number} warmUp one question before anybody asks
 *
 * @typedef {{cpu: number, gpu: number|null, helpers: number|null}} Memory bytes that each wasm module has taken, those of the CPU's helpers together
 * @typedef {{used: Backend['used'], milliseconds: number[], memory: Memory}} Measured one backend's scorings of one taste
 *
 * @typedef {{key: string, tastes: string[], name: string, length: number}} ViewerEntry one line of the viewer directory; tastes, and the name they make, are for display
 *
 * @typedef {object} Loaded the answer to `load`
 * @property {Backend} backend
 * @property {LoadTimes} times
 * @property {Memory} memory
 * @property {Manifest} manifest
 * @property {CatalogueItem[]} catalogue
 * @property {ViewerEntry[]} viewers
 * @property {number[]} reasonCounts how many reasons each title has
 * @property {number} first the viewer who is shown where none is asked for: whose list was drawn before anything had loaded
 * @property {{user: number, line: string|null}[]} featured viewers worth meeting first, with what the language model wrote of them
 * @property {number} window events of a history that the ranking model reads, the newest ones
 * @property {{reasons: boolean, patterns: boolean}} uses which of the texts the ranking model was trained with; the others travel along unused
 * @property {boolean} dated whether times are calendar times (seconds since 1970) or a mere order
 * @property {Results|null} results
 * @property {number|null} writerBytes of all that the writer needs, its module and its model; null where the module's are not written down
 *
 * @typedef {'engine'|'artefact'|'check'|'gpu'|'warm-up'|'writer'} Phase
 * @typedef {{event: 'progress', phase: Phase, loaded: number, total: number|null}} Progress
 *
 * @typedef {{kind: string, message: string, file?: string}} Fault
 *
 * @typedef {{type: 'load', artefact: string, backend: BackendChoice, again: boolean, hashes: import('./hashes.js').Hashes}} LoadRequest `artefact`: its folder; `again`: past the browser's own cache, whose copy may be what was wrong; `hashes`: of the scorers
 * @typedef {{type: 'backend', prefer: BackendChoice}} BackendRequest
 * @typedef {{type: 'viewer', user: number, aside?: boolean}} ViewerRequest `aside`: beside the list that stands or is on its way, which it does not overtake
 * @typedef {{type: 'recommend', taste: Taste, count: number, before: Taste|null, aside?: boolean}} RecommendRequest
 * @typedef {{type: 'measure', taste: Taste, times: number}} MeasureRequest
 * @typedef {{type: 'scores', taste: Taste}} ScoresRequest
 * @typedef {{type: 'probe', taste: Taste, item: number}} ProbeRequest
 * @typedef {{type: 'carriers', taste: Taste, items: number[]}} CarriersRequest
 * @typedef {{type: 'counterfactual', taste: Taste, limit: number}} CounterfactualRequest
 * @typedef {{type: 'nearest', items: number[]}} NearestRequest
 * @typedef {{type: 'compare', user: number, items: number[]}} CompareRequest
 * @typedef {{type: 'write-pattern', taste: Taste, seed: number}} WritePatternRequest
 * @typedef {{type: 'write-reason', pattern: string|null, item: number, seed: number}} WriteReasonRequest
 * @typedef {LoadRequest|BackendRequest|ViewerRequest|RecommendRequest|MeasureRequest|ScoresRequest|ProbeRequest|CarriersRequest|CounterfactualRequest|NearestRequest|CompareRequest|WritePatternRequest|WriteReasonRequest} Request
 *
 * @typedef {object} Answers what each request type is answered with
 * @property {Loaded} load
 * @property {Backend} backend
 * @property {ArtefactUser & {taste: Taste}} viewer
 * @property {Ranking & {memory: Memory}} recommend
 * @property {Measured} measure
 * @property {Float32Array} scores
 * @property {Probe} probe
 * @property {Carrier[][]} carriers for each title the events of the history, those first that count most
 * @property {Counterfactual|null} counterfactual
 * @property {Nearest|null} nearest
 * @property {Compared} compare
 * @property {WrittenPattern} write-pattern
 * @property {{text: string, unheld: number}} write-reason
 *
 * @typedef {{id: number, ok: true, value: unknown} | {id: number, ok: false, error: Fault}} Answer
 * @typedef {'ping'|{stop: number}} Aside heard whatever else the worker is doing: `ping` asks for another `alive`, `stop` ends the text, or the turn to another backend, that a request wants
 * @typedef {Answer | Progress | {event: 'alive', locked: boolean} | {event: 'fetched', group: 'gpu'|'writer'} | {event: 'backend', backend: Backend} | {event: 'team', team: Team & {memory: Memory}} | {event: 'draft', id: number, text: string, attempt: number}} FromWorker
 */

export {};
