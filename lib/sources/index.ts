/** The sources this package comes with, for plugins that are used alone. */
export { HotFiles, type HotFileOptions } from '../cache/hot-files.ts'
export type { Key } from '../paths/request-path.ts'
export { RepresentationChanged, type Representation } from '../representation.ts'
export { fileSource, type FileSourceOptions } from './file.ts'
export { LargeFiles, type LargeFileOptions } from './large-files.ts'
export { precompressed } from './precompressed.ts'
export type { Entry, Found, FoundDirectory, FoundFile, Listing, Source } from './source.ts'
export { treeSource, type Branch } from './tree.ts'
