import type { FileIO, ReadOptions } from './file-io.ts'

/** The same files, with some of the methods replaced. */
export function forwardFileIO(io: FileIO, replaced: Partial<FileIO>): FileIO {
  return {
    capabilities: io.capabilities,
    read: (location, options) => io.read(location, options),
    readStream: (location, options) => io.readStream(location, options),
    write: (location, bytes, options) => io.write(location, bytes, options),
    copy: (from, to, options) => io.copy(from, to, options),
    stat: (location, options) => io.stat(location, options),
    list: (location, options) => io.list(location, options),
    deleteFiles: (locations, options) => io.deleteFiles(locations, options),
    removeEmptyDirectories: (location) => io.removeEmptyDirectories(location),
    ...(io.storeSettings && { storeSettings: (location: string) => io.storeSettings!(location) }),
    ...(io.listVersions && {
      listVersions: (location: string, options?: ReadOptions) => io.listVersions!(location, options),
    }),
    ...(io.renewCredentials && { renewCredentials: () => io.renewCredentials!() }),
    close: () => io.close(),
    ...replaced,
  }
}
