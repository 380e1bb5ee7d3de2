// The library ships no types.

declare module 'cluster-key-slot' {
  export default function keySlot(key: string | Uint8Array): number
}
