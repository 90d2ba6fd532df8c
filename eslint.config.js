import tseslint from 'typescript-eslint'

/**
 * The floors of the house: a room may import only rooms listed for it. Everything else
 * about style belongs to Biome; ESLint is here for promises and for the floors.
 */
const floors = {
  iceberg: [],
  storage: ['iceberg'],
  database: ['iceberg', 'storage'],
  catalog: ['iceberg', 'storage', 'database'],
  purge: ['iceberg', 'storage', 'database'],
  security: ['iceberg', 'storage', 'database', 'catalog', 'purge'],
  events: ['iceberg', 'storage', 'database', 'catalog', 'purge'],
  observability: ['iceberg', 'storage', 'database'],
  config: ['iceberg', 'storage', 'database'],
  server: [
    'iceberg',
    'storage',
    'database',
    'catalog',
    'purge',
    'security',
    'events',
    'observability',
    'config',
  ],
  testing: ['iceberg', 'storage', 'database', 'catalog', 'purge'],
}
const rooms = [...Object.keys(floors), 'cli']

const floorRules = Object.entries(floors).map(([room, below]) => ({
  files: [`src/${room}/**/*.ts`],
  ignores: ['src/**/*.test.ts'],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: rooms
          .filter((other) => other !== room && !below.includes(other))
          .map((other) => ({
            regex: `^(\\.\\./)+${other}/`,
            message: `${room} must not import ${other}: a room imports only from the floors below it (docs/architecture.md).`,
          })),
      },
    ],
  },
}))

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '**/fixtures/**', 'examples/**'] },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  ...floorRules,
)
