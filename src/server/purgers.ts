import { suggest } from '../config/suggest.ts'
import {
  createPurgers,
  PurgerConfigurationError,
  type PurgerSettings,
  purgerAliases,
} from '../purge/factory.ts'
import type { PurgerContext } from '../purge/purger.ts'

/**
 * Makes all purgers of a warehouse. Throws {@link PurgerConfigurationError}, which says of a name that nobody knows which one
 * was most likely meant.
 */
export async function openPurgers(
  settings: PurgerSettings,
  context: PurgerContext,
): ReturnType<typeof createPurgers> {
  try {
    return await createPurgers(settings, context)
  } catch (error) {
    if (!(error instanceof PurgerConfigurationError) || error.unknown === undefined) throw error
    const { message, key, unknown } = error
    const meant = suggest(unknown, purgerAliases)
    if (meant === undefined) throw error
    throw new PurgerConfigurationError(`${message}. Did you mean ${JSON.stringify(meant)}?`, {
      key,
      unknown,
      cause: error,
    })
  }
}
