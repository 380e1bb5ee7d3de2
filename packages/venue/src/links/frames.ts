// What processes say to each other over a link, as bytes. Every frame begins with 16 bytes:
//
//   0 u8 kind   1 u8 shard   2 u16 regionIndex of the shard's list   4 u32 count   8 f64 epoch   16 … body
//
//   commands   count records for the leader of `epoch`, encoded once by their gateway
//   batch      a committed batch
//   leading    the sender leads the shard; its first batch is committed
//   released   the sender has released the shard's lease; `region` may claim it first, and of that region the process of origin `count`
//   progress   the last seq the sender has applied, one f64 for each shard; `regionIndex` is 1 when it is about to end
//   hand_over  the leader of `epoch` is asked to hand the shard over to `region`; `count` is 1 when it shall stay there

import { CodecError, checkCommand, type Epoch, LIMITS, type Seq, type ShardIndex } from '@wintrades/domain'

export const FrameKind = { commands: 1, batch: 2, leading: 3, released: 4, progress: 5, hand_over: 6 } as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

const HEADER_BYTES = 16
/** The longest frame: a batch. Commands are sent in frames of at most a batch's bytes. */
export const FRAME_BYTES_MAX = LIMITS.batch_bytes_max + HEADER_BYTES

export type Frame =
  | {
      readonly kind: typeof FrameKind.commands
      readonly shard: ShardIndex
      readonly epoch: Epoch
      readonly count: number
      readonly records: Uint8Array
    }
  | { readonly kind: typeof FrameKind.batch; readonly shard: ShardIndex; readonly batch: Uint8Array }
  | { readonly kind: typeof FrameKind.leading; readonly shard: ShardIndex; readonly epoch: Epoch }
  | {
      readonly kind: typeof FrameKind.released
      readonly shard: ShardIndex
      readonly epoch: Epoch
      /** Index in the shard's list of regions; null: anybody. */
      readonly region: number | null
      /** The process of that region that may claim first; 0: any. */
      readonly heir: number
    }
  | {
      readonly kind: typeof FrameKind.hand_over
      readonly shard: ShardIndex
      readonly epoch: Epoch
      readonly region: number
      readonly pinned: boolean
    }
  | { readonly kind: typeof FrameKind.progress; readonly seqs: readonly Seq[]; readonly isLeaving: boolean }

const NO_REGION = 0xffff

function header(
  kind: FrameKind,
  shard: number,
  region: number,
  count: number,
  epoch: number,
  bodyBytes = 0,
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + bodyBytes)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, kind)
  view.setUint8(1, shard)
  view.setUint16(2, region, true)
  view.setUint32(4, count, true)
  view.setFloat64(8, epoch, true)
  return bytes
}

export function commandsFrame(
  shard: ShardIndex,
  epoch: Epoch,
  count: number,
  records: Uint8Array,
): readonly Uint8Array[] {
  return [header(FrameKind.commands, shard, 0, count, epoch), records]
}

export function batchFrame(shard: ShardIndex, batch: Uint8Array): readonly Uint8Array[] {
  return [header(FrameKind.batch, shard, 0, 0, 0), batch]
}

export function leadingFrame(shard: ShardIndex, epoch: Epoch): readonly Uint8Array[] {
  return [header(FrameKind.leading, shard, 0, 0, epoch)]
}

export function releasedFrame(
  shard: ShardIndex,
  epoch: Epoch,
  region: number | null,
  heir: number,
): readonly Uint8Array[] {
  return [header(FrameKind.released, shard, region ?? NO_REGION, heir, epoch)]
}

export function handOverFrame(shard: ShardIndex, epoch: Epoch, region: number, pinned: boolean): readonly Uint8Array[] {
  return [header(FrameKind.hand_over, shard, region, pinned ? 1 : 0, epoch)]
}

export function progressFrame(seqs: readonly Seq[], isLeaving: boolean): readonly Uint8Array[] {
  const bytes = header(FrameKind.progress, 0, isLeaving ? 1 : 0, seqs.length, 0, seqs.length * 8)
  const view = new DataView(bytes.buffer)
  seqs.forEach((seq, i) => {
    view.setFloat64(HEADER_BYTES + i * 8, seq, true)
  })
  return [bytes]
}

/** Reads a frame, whole and well-formed, or throws {@link CodecError}. Batches are checked by the replica, against its chain. */
export function readFrame(bytes: Uint8Array, shardCount: number): Frame {
  if (bytes.length < HEADER_BYTES) throw new CodecError('frame cut short', 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kind = view.getUint8(0) as FrameKind
  const shard = view.getUint8(1) as ShardIndex
  const region = view.getUint16(2, true)
  const count = view.getUint32(4, true)
  const epoch = view.getFloat64(8, true) as Epoch
  if (shard >= shardCount) throw new CodecError(`shard ${shard} unknown`, 1)
  if (!Number.isSafeInteger(epoch) || epoch < 0) throw new CodecError('epoch is not a number', 8)
  const body = bytes.subarray(HEADER_BYTES)
  switch (kind) {
    case FrameKind.commands:
      checkRecords(view, count, bytes.length)
      return { kind, shard, epoch, count, records: body }
    case FrameKind.batch:
      return { kind, shard, batch: body }
    case FrameKind.leading:
      return { kind, shard, epoch }
    case FrameKind.released:
      return { kind, shard, epoch, region: region === NO_REGION ? null : region, heir: count }
    case FrameKind.hand_over:
      return { kind, shard, epoch, region, pinned: count === 1 }
    case FrameKind.progress: {
      if (count !== shardCount || body.length !== count * 8) throw new CodecError('progress of other shards', 4)
      const seqs: Seq[] = []
      for (let i = 0; i < count; i++) {
        const seq = view.getFloat64(HEADER_BYTES + i * 8, true)
        if (!Number.isSafeInteger(seq) || seq < 0) throw new CodecError('seq is not a number', HEADER_BYTES + i * 8)
        seqs.push(seq as Seq)
      }
      return { kind, seqs, isLeaving: region === 1 }
    }
    default:
      throw new CodecError(`frame of kind ${kind} unknown`, 0)
  }
}

function checkRecords(view: DataView, count: number, end: number): void {
  let at = HEADER_BYTES
  for (let i = 0; i < count; i++) at += checkCommand(view, at, end)
  if (at !== end) throw new CodecError('bytes after the last command', at)
}
