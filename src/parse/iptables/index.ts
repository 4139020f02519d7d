export { type IptablesOptions, parseIptablesSave } from './save-file.ts'
