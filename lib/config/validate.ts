import { Ajv2020 } from 'ajv/dist/2020.js'
import { Config } from './schema.ts'
import { validatorOptions } from './validator-options.ts'

/** Whether a value is a configuration, once its defaults are put in; `errors` says why not. Compiled when it is built: what compiles it would take 20 MB. */
export const validate = new Ajv2020(validatorOptions).compile<Config>(Config)
