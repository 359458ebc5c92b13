/** A fault in an operator's own policy ends a replay: its figures would be those of another policy. */

export class CustomPolicyFault extends Error {}

export function failReplay(message: string): never {
  throw new CustomPolicyFault(message);
}
