/**
 * The shapes that pass between artefact, scorer, worker and page. Types only: nothing here runs.
 *
 * Three layers, each naming what it promises:
 *  - `Artefact*`: the files of an exported artefact folder, as the trainer writes them;
 *  - `Engine*`, `Scorer`, `Raw*`: the face of the wasm module (`curec-web.js`), which the worker alone touches;
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
 * @property {{reward?: {use_reasons?: boolean, use_patterns?: boolean}}} model configuration of the ranking model; what else it holds is the scorer's
 *
 * @typedef {number | {value: number, low?: number, high?: number}} Metric
 * @typedef {{name: string, description?: string, metrics: Record<string, Metric>}} ModelResult
 * @typedef {{protocol: Record<string, unknown>, models: ModelResult[], notes: string[]}} Results
 *
 * @typedef {'auto'|'cpu'|'webgpu'} BackendChoice
 * @typedef {{used: 'cpu'|'webgpu', adapter: string|null, reason: string}} Backend
 *
 * @typedef {{index: number, weight: number}} RawReason
 * @typedef {{position: number, item: number, weight: number}} HistoryWeight
 * @typedef {{item: number, rank: number, score: number}} Placed
 * @typedef {Placed & {reasons: RawReason[], history: HistoryWeight[]}} RawRecommendation reason weights sum to 1, magnitudes of history weights too
 *
 * @typedef {object} RawRanking what the scorer answers
 * @property {number} user
 * @property {number} milliseconds
 * @property {number} scored how many items got a score: the whole catalogue
 * @property {Placed|null} held_out its rank is the one among the items this user has not taken before
 * @property {RawRecommendation[]} recommendations
 *
 * @typedef {object} Scorer
 * @property {() => Backend} backend
 * @property {(user: number, count: number) => Promise<RawRanking>} recommend
 * @property {(user: number) => Promise<Float32Array>} scores
 *
 * @typedef {object} Engine the ES module that wasm-bindgen generates
 * @property {(source: {module_or_path: Response | URL | string}) => Promise<unknown>} default
 * @property {{load(manifest: string, files: Map<string, Uint8Array>, prefer: BackendChoice): Promise<Scorer>}} Scorer
 *
 * @typedef {object} Reason a reason with its words, ready to show
 * @property {number} weight share of the attention this reason got
 * @property {string} text
 * @property {string|null} viewer key of the viewer in whose name it was written
 * @property {number|null} time
 *
 * @typedef {Placed & {reasons: Reason[], history: HistoryWeight[]}} Recommendation
 * @typedef {Omit<RawRanking, 'recommendations'> & {recommendations: Recommendation[]}} Ranking
 *
 * @typedef {{key: string, tastes: string[], length: number}} ViewerEntry one line of the viewer directory; tastes are for display
 *
 * @typedef {object} Loaded the answer to `load`
 * @property {Backend} backend
 * @property {Manifest} manifest
 * @property {CatalogueItem[]} catalogue
 * @property {ViewerEntry[]} viewers
 * @property {number[]} featured indices of viewers worth meeting first
 * @property {{reasons: boolean, patterns: boolean}} uses which of the texts the ranking model was trained with; the others travel along unused
 * @property {boolean} dated whether times are calendar times (seconds since 1970) or a mere order
 * @property {Results|null} results
 *
 * @typedef {'engine'|'artefact'|'check'} Phase
 * @typedef {{event: 'progress', phase: Phase, loaded: number, total: number|null}} Progress
 *
 * @typedef {{kind: string, message: string, file?: string}} Fault
 *
 * @typedef {{type: 'load', artefact: string, backend: BackendChoice}} LoadRequest
 * @typedef {{type: 'viewer', user: number}} ViewerRequest
 * @typedef {{type: 'recommend', user: number, count: number}} RecommendRequest
 * @typedef {{type: 'scores', user: number}} ScoresRequest
 * @typedef {LoadRequest|ViewerRequest|RecommendRequest|ScoresRequest} Request
 *
 * @typedef {object} Answers what each request type is answered with
 * @property {Loaded} load
 * @property {ArtefactUser} viewer
 * @property {Ranking} recommend
 * @property {Float32Array} scores
 *
 * @typedef {{id: number, ok: true, value: unknown} | {id: number, ok: false, error: Fault}} Answer
 * @typedef {Answer | Progress | {event: 'alive', locked: boolean}} FromWorker
 */

export {};
