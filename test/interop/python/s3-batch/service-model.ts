/**
 * Checks requests to S3 Control against the model that AWS publishes of it, with which botocore is generated: names, required
 * members, lengths, patterns, ranges and enumerations.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { XMLParser } from 'fast-xml-parser'

interface Member {
  readonly shape: string
  readonly location?: 'header' | 'uri' | 'querystring'
  readonly locationName?: string
}

interface Shape {
  readonly type: string
  readonly required?: readonly string[]
  readonly members?: Readonly<Record<string, Member>>
  readonly member?: Member
  readonly key?: Member
  readonly value?: Member
  readonly min?: number
  readonly max?: number
  readonly pattern?: string
  readonly enum?: readonly string[]
}

interface Operation {
  readonly http: { readonly method: string; readonly requestUri: string }
  readonly input: { readonly shape: string; readonly locationName?: string }
}

interface Model {
  readonly operations: Readonly<Record<string, Operation>>
  readonly shapes: Readonly<Record<string, Shape>>
}

/** An element: its text, or its children by name; every name has a list. */
type Node = string | Readonly<Record<string, readonly Node[]>>

/** What the model does not allow. */
export class ModelViolation extends Error {
  override readonly name = 'BadRequestException'
}

export class ServiceModel {
  readonly #model: Model
  readonly #parser = new XMLParser({ parseTagValue: false, trimValues: false, isArray: () => true })

  /** @param binaries of a Python environment with botocore. */
  constructor(binaries: string) {
    const [file] = globSync(
      join(binaries, '../lib/python3*/site-packages/botocore/data/s3control/2018-08-20/service-2.json{,.gz}'),
    )
    if (file === undefined) throw new Error('botocore has no model of S3 Control.')
    const bytes = readFileSync(file)
    this.#model = JSON.parse(String(file.endsWith('.gz') ? gunzipSync(bytes) : bytes)) as Model
  }

  /**
   * Gives the body of a request for this operation, as it was checked. Throws {@link ModelViolation}.
   *
   * @param outside the members that are in the path, the query and the headers.
   */
  check(operation: string, body: string, outside: Readonly<Record<string, string | undefined>>): Node {
    const { input } = this.#model.operations[operation]!
    const shape = this.#model.shapes[input.shape]!
    let root: Node = {}
    if (body !== '') {
      const parsed = this.#parser.parse(body) as Record<string, readonly Node[]>
      const name = input.locationName ?? input.shape
      if (!parsed[name]) throw new ModelViolation(`The document is no ${name}.`)
      root = parsed[name][0]!
    }
    const elsewhere: Record<string, readonly Node[]> = {}
    for (const [name, member] of Object.entries(shape.members!)) {
      if (member.location === undefined) continue
      const value = outside[member.locationName!]
      if (value !== undefined) elsewhere[name] = [value]
    }
    this.#check(input.shape, { ...(root as object), ...elsewhere }, operation)
    return root
  }

  #check(name: string, node: Node, path: string): void {
    const shape = this.#model.shapes[name]!
    switch (shape.type) {
      case 'structure':
        this.#structure(shape, node, path)
        break
      case 'list':
        this.#list(shape, node, path)
        break
      case 'map':
        this.#map(shape, node, path)
        break
      default:
        scalar(shape, node, path)
    }
  }

  #structure({ members = {}, required = [] }: Shape, node: Node, path: string): void {
    const children = childrenOf(node)
    for (const name of required) {
      if (!children[name]) throw new ModelViolation(`${path}.${name} is missing.`)
    }
    for (const [name, nodes] of Object.entries(children)) {
      if (name.startsWith('@_') || (name === '#text' && String(nodes).trim() === '')) continue
      const member = members[name]
      if (!member) throw new ModelViolation(`${path} has no member ${name}.`)
      if (nodes.length !== 1) throw new ModelViolation(`${path}.${name} is there ${nodes.length} times.`)
      this.#check(member.shape, nodes[0]!, `${path}.${name}`)
    }
  }

  #list({ member, min = 0, max = Number.POSITIVE_INFINITY }: Shape, node: Node, path: string): void {
    const { [member!.locationName ?? 'member']: items = [], ...others } = childrenOf(node)
    if (Object.keys(others).length > 0)
      throw new ModelViolation(`${path} has no ${Object.keys(others).join(', ')}.`)
    within(items.length, min, max, `${path}.length`)
    for (const [index, item] of items.entries()) this.#check(member!.shape, item, `${path}[${index}]`)
  }

  #map({ key, value, min = 0, max = Number.POSITIVE_INFINITY }: Shape, node: Node, path: string): void {
    const { entry = [], ...others } = childrenOf(node)
    if (Object.keys(others).length > 0)
      throw new ModelViolation(`${path} has no ${Object.keys(others).join(', ')}.`)
    within(entry.length, min, max, `${path}.size`)
    for (const each of entry) {
      const children = childrenOf(each)
      this.#check(key!.shape, children[key!.locationName ?? 'key']?.[0] ?? '', `${path}.key`)
      this.#check(value!.shape, children[value!.locationName ?? 'value']?.[0] ?? '', `${path}.value`)
    }
  }
}

/** The text at a path of names, or undefined. */
export function textAt(node: Node, ...names: readonly string[]): string | undefined {
  let at: Node | undefined = node
  for (const name of names) at = typeof at === 'string' ? undefined : at?.[name]?.[0]
  return typeof at === 'string' ? at : undefined
}

function scalar(shape: Shape, node: Node, path: string): void {
  if (typeof node !== 'string') throw new ModelViolation(`${path} is no text.`)
  const { type, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = shape
  if (type === 'string') {
    within(node.length, min, max, `${path}.length`)
    if (shape.pattern && !new RegExp(shape.pattern, shape.pattern.includes('\\p{') ? 'u' : '').test(node))
      throw new ModelViolation(`${path} does not match ${shape.pattern}.`)
    if (shape.enum && !shape.enum.includes(node)) throw new ModelViolation(`${path} is no such: ${node}.`)
  } else if (type === 'boolean') {
    if (node !== 'true' && node !== 'false') throw new ModelViolation(`${path} is no boolean.`)
  } else if (type === 'integer' || type === 'long') {
    if (!/^-?\d+$/.test(node)) throw new ModelViolation(`${path} is no integer.`)
    within(Number(node), min, max, path)
  } else throw new Error(`The model's type ${type} is not known.`)
}

function within(value: number, min: number, max: number, path: string): void {
  if (value < min || value > max) throw new ModelViolation(`${path} is ${value}, not ${min} to ${max}.`)
}

function childrenOf(node: Node): Readonly<Record<string, readonly Node[]>> {
  return typeof node === 'string' ? {} : node
}
