/** How configurations are checked: every mistake at once, with the schema that it is about. */
export const validatorOptions = { allErrors: true, useDefaults: true, discriminator: true, strict: false, verbose: true } as const
