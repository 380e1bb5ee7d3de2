// The front door: one address in front of all regions.

export { FrontDoor, type FrontDoorOptions } from './front-door.ts'
