/** What a command that asks a running proxy prints as its error. */
export class AdminFailure extends Error {}
